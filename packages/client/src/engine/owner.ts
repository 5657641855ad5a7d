/** Whose store a client opens, with or without a token. */
import { ConfabError } from '@confab/core'
import type { Storage, StoreOwner } from '../storage/storage.ts'
import type { Platform } from './platform.ts'
import { readToken } from './token.ts'

/** Milliseconds that a start waits for a token when it could also begin with the owner of last time. */
const TOKEN_WAIT = 2000

/**
 * The owner that the token names; without one, the owner that last opened a store for this relay.
 * @param identity only this identity's store will do
 * @throws ConfabError 20003 when neither is to be had
 */
export async function findOwner(
  options: { url: string; identity?: string; token(): Promise<string>; storage: Storage },
  platform: Platform,
): Promise<StoreOwner> {
  const { url, identity, storage } = options
  const last = await storage.lastOwner(url)
  const usable = last && (identity === undefined || identity === last.identity) ? last : null
  // the app has said who it is, and this device knows them: there is nothing to wait for
  if (usable && identity !== undefined) return usable
  try {
    const token = await (usable ? withinTime(options.token(), platform) : options.token())
    const claims = readToken(token)
    if (identity !== undefined && claims.identity !== identity) {
      throw new ConfabError(20003, `The token is not ${identity}'s`)
    }
    return {
      relay: url,
      accountSid: claims.accountSid,
      serviceSid: claims.serviceSid,
      identity: claims.identity,
    }
  } catch (cause) {
    if (usable) return usable
    if (cause instanceof ConfabError) throw cause
    throw new ConfabError(20003, 'There is no token, and nobody has used this relay on this device before', {
      cause,
    })
  }
}

function withinTime<Value>(promise: Promise<Value>, platform: Platform): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = platform.setTimeout(() => reject(new Error('No token came in time')), TOKEN_WAIT)
    const settle = () => platform.clearTimeout(timer)
    promise.then(resolve, reject).finally(settle)
  })
}
