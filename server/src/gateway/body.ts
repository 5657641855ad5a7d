/** The body of a request, within bounds. */
import type { IncomingMessage } from 'node:http'

/**
 * All bytes of the body; null when there are more than `most`, of which nothing is kept.
 * @param most bytes
 */
export async function readBody(request: IncomingMessage, most: number): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > most) return null
  const chunks: Buffer[] = []
  let length = 0
  // whoever sends more is to hear why
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > most) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
