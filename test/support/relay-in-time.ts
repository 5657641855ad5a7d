/** A relay on a real socket whose conversations' timers go by a clock that the test turns; its connections' don't. */
import { DEFAULT_LIMITS } from '@confab/core'
import { authenticator } from '../../server/src/authenticator.ts'
import { createEngine } from '../../server/src/commit/create-engine.ts'
import type { Engine } from '../../server/src/engine.ts'
import { openGateway } from '../../server/src/gateway/gateway.ts'
import { systemClock } from '../../server/src/session/clock.ts'
import { NativeSession } from '../../server/src/session/native-session.ts'
import { DEFAULT_TIMING, type Log } from '../../server/src/session/session.ts'
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import { KEY, SECRET } from './relay.ts'

export interface RelayInTime {
  url: string
  engine: Engine
  /** So much time passes, and what falls due is done. */
  pass(milliseconds: number): Promise<void>
  close(): Promise<void>
}

export async function relayInTime(): Promise<RelayInTime> {
  let ahead = 0
  const timers = new Map<object, { at: number; run: () => void }>()
  const now = () => Date.now() + ahead
  const log: Log = { debug() {}, info() {}, warn() {}, error() {} }
  const store = openSqliteStore(':memory:')
  const engine = createEngine({
    store,
    now,
    after: (milliseconds, run) => {
      const timer = {}
      timers.set(timer, { at: now() + milliseconds, run })
      return () => timers.delete(timer)
    },
  })
  const limits = DEFAULT_LIMITS
  const authenticate = authenticator({
    accessKeys: { [KEY]: SECRET },
    hooks: {},
    limits,
    now: systemClock.now,
  })
  const base = { clock: systemClock, engine, authenticate, limits, timing: DEFAULT_TIMING, log }
  const gateway = await openGateway({
    host: '127.0.0.1',
    port: 0,
    limits,
    origins: 'any',
    maxConnections: 100,
    version: 'test',
    log,
    pageReader: async (name) => ({ name, page: async () => null }),
    session: (_, outlet) => new NativeSession({ ...base, outlet }),
  })
  return {
    url: `ws://127.0.0.1:${gateway.port}`,
    engine,
    async pass(milliseconds) {
      ahead += milliseconds
      for (const [timer, { at, run }] of [...timers]) {
        if (at > now()) continue
        timers.delete(timer)
        run()
      }
      await engine.idle()
    },
    async close() {
      gateway.stopAccepting()
      await engine.drain()
      await gateway.close(4500, 'The test is over')
      await store.close()
    },
  }
}
