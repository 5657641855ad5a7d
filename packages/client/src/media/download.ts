/** Content from the relay: in one stream, continued where it broke off, and what its hash says or nothing. */
import { ConfabError } from '@confab/core'
import { hasher } from './hash.ts'
import { ask, type RelayAccess } from './relay.ts'

/** Attempts that bring nothing further, one after the other. */
const ATTEMPTS = 4
/** Milliseconds before the second of them; twice as long before each further one. */
const WAIT = 250
/** Bytes that are handed over to the platform's Blobs, which needn't be in memory. */
const FOLD = 4 * 1024 * 1024

export interface Wanted {
  sid: string
  contentType: string
  /** Bytes. */
  size: number
  /** Left out by who didn't know it. */
  sha256?: string | undefined
}

export interface Downloaded {
  content: Blob
  hash: string
}

/**
 * @param progress is told how many bytes are here
 * @throws ConfabError 20404 when it can't be had now, 70607 when it isn't what its hash says
 */
export async function download(
  relay: RelayAccess,
  wanted: Wanted,
  progress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Downloaded> {
  const hash = hasher()
  const parts: Blob[] = []
  let pieces: Uint8Array<ArrayBuffer>[] = []
  let loose = 0
  let received = 0
  const fold = () => {
    if (loose > 0) parts.push(new Blob(pieces))
    pieces = []
    loose = 0
  }
  const take = (bytes: Uint8Array<ArrayBuffer>) => {
    hash.update(bytes)
    pieces.push(bytes)
    received += bytes.length
    loose += bytes.length
    if (loose >= FOLD) fold()
    progress(received)
  }
  for (let failures = 0; received < wanted.size || wanted.size === 0; ) {
    const before = received
    try {
      await stream(relay, wanted, received, take, signal)
      if (received >= wanted.size) break
      throw new Error('It ended early')
    } catch (error) {
      signal.throwIfAborted()
      failures = received > before ? 1 : failures + 1
      const isFinal = error instanceof ConfabError && error.cause === undefined
      if (isFinal || failures >= ATTEMPTS) throw error instanceof ConfabError ? error : lost(wanted, error)
      await new Promise((resolve) => setTimeout(resolve, WAIT * 2 ** (failures - 1)))
    }
  }
  fold()
  const found = hash.hex()
  if (received !== wanted.size || (wanted.sha256 !== undefined && found !== wanted.sha256))
    throw new ConfabError(70607, `What the relay gave for ${wanted.sid} is not its content`)
  return { content: new Blob(parts, { type: wanted.contentType }), hash: found }
}

const lost = ({ sid }: Wanted, cause: unknown) =>
  new ConfabError(20404, `The content of ${sid} can’t be had now`, { cause })

async function stream(
  relay: RelayAccess,
  { sid, size }: Wanted,
  from: number,
  take: (bytes: Uint8Array<ArrayBuffer>) => void,
  signal: AbortSignal,
): Promise<void> {
  const headers: { [name: string]: string } = from > 0 ? { range: `bytes=${from}-` } : {}
  const response = await ask(relay, `/media/${sid}`, { headers, signal })
  // who ignores the range gives it all again
  let skip = from > 0 && response.status !== 206 ? from : 0
  let left = size - from
  const give = (bytes: Uint8Array<ArrayBuffer>) => {
    const fresh = skip > 0 ? bytes.subarray(skip) : bytes
    skip = Math.max(0, skip - bytes.length)
    left -= fresh.length
    if (left < 0) throw new ConfabError(70607, `The relay gave more than ${sid} has`)
    if (fresh.length > 0) take(fresh)
  }
  const reader = response.body?.getReader()
  // React Native gives no streams
  if (!reader) return give(new Uint8Array(await response.arrayBuffer()))
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    give(value as Uint8Array<ArrayBuffer>)
  }
}
