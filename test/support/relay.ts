/** A real relay on a loopback socket, tokens for it, and everything that it complained of. */
import { createAccessToken, createRelay, type Log, type Relay, type RelayOptions } from '@confab/relay'

export const ACCOUNT = `AC${'a'.repeat(32)}`
export const KEY = `SK${'b'.repeat(32)}`
export const SECRET = 'a secret that signs nothing but tests'

export interface TestRelay extends Relay {
  /** What it logged as an error: failures of its own, which no peer may cause. */
  readonly failures: string[]
}

/** The options that every relay of these tests has, with what is given replacing them. */
export const relayOptions = (options: Partial<RelayOptions> = {}): RelayOptions => ({
  port: 0,
  database: ':memory:',
  accessKeys: { [KEY]: SECRET },
  ...options,
})

export async function startRelay(options: Partial<RelayOptions> = {}): Promise<TestRelay> {
  const failures: string[] = []
  const logger: Log = {
    debug() {},
    info() {},
    warn() {},
    error(details, message) {
      const { err } = details as { err?: unknown }
      failures.push(err instanceof Error ? `${message}: ${err.stack}` : message)
    },
  }
  const relay = await createRelay(relayOptions({ logger, ...options }))
  return Object.assign(relay, { failures })
}

/** @param ttl seconds */
export const tokenFor = (identity: string, ttl = 3600): Promise<string> =>
  createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity, ttl })
