import { digest } from 'lib0/hash/sha256'
import type { StoreOwner } from './storage.ts'

const encoder = new TextEncoder()

/** 32 hex digits for a name that must not show what it names. */
export function shortHash(...parts: readonly (string | number)[]): string {
  const bytes = digest(encoder.encode(JSON.stringify(parts))).subarray(0, 16)
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The name of an owner's store: one for each (relay, account, service, identity), and no person's name in it. */
export function ownerKey(owner: StoreOwner): string {
  return shortHash(owner.relay, owner.accountSid, owner.serviceSid, owner.identity)
}
