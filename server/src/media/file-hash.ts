import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Bytes that are read at a time. */
const PIECE = 1024 * 1024

/** SHA-256 of a file in hex. */
export async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256')
  // one buffer for all of it: half the time goes into new ones otherwise
  const piece = Buffer.allocUnsafe(PIECE)
  const handle = await open(file, 'r')
  try {
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, PIECE)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(piece.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}
