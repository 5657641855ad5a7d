import { ConfabError, DEFAULT_LIMITS, type Limits, limitsWith, SERVICE_USER } from '@confab/core'
import {
  type Authenticate,
  DEFAULT_TIMING,
  type Log,
  type Outlet,
  type SessionOptions,
  type Timing,
} from '../../src/session/session.ts'
import { HandClock } from './hand-clock.ts'
import { ScriptedEngine } from './scripted-engine.ts'

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** What a session sends, kept; written at once unless the reader is told not to read. */
export class Wire implements Outlet {
  messages: Uint8Array[] = []
  pings = 0
  closed: { code: number; reason: string } | null = null
  isReading = true
  #unwritten: (() => void)[] = []

  send(messages: readonly Uint8Array[], written: () => void): void {
    this.messages.push(...messages)
    if (this.isReading) written()
    else this.#unwritten.push(written)
  }
  ping(): void {
    this.pings++
  }
  close(code: number, reason: string): void {
    this.closed = { code, reason }
  }

  /** The reader reads on. */
  read(): void {
    this.isReading = true
    for (const written of this.#unwritten.splice(0)) written()
  }
}

/** `identity` or `identity@seconds left`; anything else is not trusted. */
export function tokensBy(clock: HandClock): Authenticate {
  return async (token) => {
    const [, identity, seconds = '3600'] = /^([a-z]+)(?:@(-?\d+))?$/.exec(token) ?? []
    if (identity === undefined || identity === 'mallory') throw new ConfabError(20003)
    return {
      principal: { accountSid: 'AC', serviceSid: 'IS', identity, serviceRoleSid: SERVICE_USER },
      expiresAt: clock.now() + Number(seconds) * 1000,
    }
  }
}

/** All that a session stands on, under the test's hand. */
export function ground(overrides: { limits?: Partial<Limits>; timing?: Partial<Timing> } = {}) {
  const clock = new HandClock()
  const engine = new ScriptedEngine()
  const wire = new Wire()
  const options: SessionOptions = {
    clock,
    engine,
    outlet: wire,
    authenticate: tokensBy(clock),
    limits: overrides.limits ? limitsWith(overrides.limits) : DEFAULT_LIMITS,
    timing: { ...DEFAULT_TIMING, ...overrides.timing },
    log: silentLog,
  }
  return { clock, engine, wire, options }
}
