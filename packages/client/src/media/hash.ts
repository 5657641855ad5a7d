/** SHA-256 of what is not read whole: films fit no memory. */

import { toHex } from '@confab/core'
import { sha256 } from '@noble/hashes/sha2.js'

/** Bytes read at a time. */
export const PIECE = 1024 * 1024

export interface Hasher {
  update(bytes: Uint8Array): void
  /** 64 hex digits. Nothing can be added afterwards. */
  hex(): string
}

export function hasher(): Hasher {
  const hash = sha256.create()
  return { update: (bytes) => void hash.update(bytes), hex: () => toHex(hash.digest()) }
}

/** @param goOn called before each piece; what it throws ends the work */
export async function hashOf(content: Blob, goOn: () => void = () => {}): Promise<string> {
  const hash = hasher()
  for (let at = 0; at < content.size; at += PIECE) {
    goOn()
    hash.update(new Uint8Array(await content.slice(at, at + PIECE).arrayBuffer()))
  }
  return hash.hex()
}
