/** Engines under test: a token that nobody verifies, events recorded in order, no network unless a test brings one. */
import { createEngine } from '../../src/engine/create.ts'
import type { Engine, EngineEvents, EngineOptions } from '../../src/engine/engine.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { TransportFactory } from '../../src/transport/transport.ts'

export const URL = 'ws://relay.test'

const part = (claims: unknown) => Buffer.from(JSON.stringify(claims)).toString('base64url')

/** An unsigned access token in Twilio's form. */
export const tokenFor = (identity: string, expiresAt = 4_000_000_000): string =>
  `${part({ alg: 'none' })}.${part({
    sub: 'AC1',
    exp: expiresAt,
    grants: { identity, chat: { service_sid: 'IS1' } },
  })}.`

/** A transport that never reaches anybody. */
export const unreachable: TransportFactory = () => ({
  start: (events) => queueMicrotask(() => events.connecting()),
  stop: async () => {},
  wake() {},
  setToken() {},
  open() {},
  close() {},
  update() {},
  awareness() {},
  page: () => Promise.reject(new Error('unreachable')),
})

export type Told = {
  [Name in keyof EngineEvents]: [Name, ...Parameters<EngineEvents[Name]>]
}[keyof EngineEvents]

export interface TestEngine extends Engine {
  /** Everything told so far, in order. */
  readonly told: Told[]
  /** Everything told since this was last asked, as short sentences: `messageAdded 0 hello`. */
  news(): string[]
  /** Resolves once a sentence that starts like this was told; those already told count from `since`. */
  heard(start: string): Promise<void>
  /** Calls the listener with every event from now on. */
  listen(listener: (event: Told) => void): void
}

export function engineFor(
  identity: string,
  storage: Storage,
  more: Partial<EngineOptions> & { transport?: TransportFactory } = {},
): TestEngine {
  const engine = createEngine({
    url: URL,
    token: async () => tokenFor(identity),
    storage,
    transport: unreachable,
    log: (level, message, details) => {
      if (level === 'error' || level === 'warn') console.error(identity, message, details)
    },
    ...more,
  })
  const told: Told[] = []
  const waiting: { start: string; resolve(): void }[] = []
  let read = 0
  let heard = 0
  const listeners: ((event: Told) => void)[] = []
  const check = () => {
    for (const wait of [...waiting]) {
      const at = told.findIndex((event, i) => i >= heard && sentence(event).startsWith(wait.start))
      if (at < 0) continue
      heard = at + 1
      waiting.splice(waiting.indexOf(wait), 1)
      wait.resolve()
    }
  }
  const events = new Proxy({} as EngineEvents, {
    get:
      (_, name) =>
      (...given: unknown[]) => {
        const event = [name, ...given] as unknown as Told
        told.push(event)
        for (const listener of listeners) listener(event)
        check()
      },
  })
  engine.start(events)
  return Object.assign(engine, {
    told,
    listen(listener: (event: Told) => void) {
      listeners.push(listener)
    },
    news() {
      // whether something waits is told beside everything else
      const sentences = told
        .slice(read)
        .map(sentence)
        .filter((one) => one !== 'operationsChanged')
      read = told.length
      return sentences
    },
    heard(start: string) {
      return new Promise<void>((resolve) => {
        waiting.push({ start, resolve })
        check()
      })
    },
  })
}

export function sentence(event: Told): string {
  switch (event[0]) {
    case 'messageAdded':
    case 'messageRemoved':
      return `${event[0]} ${event[2].record.index} ${event[2].record.body}`
    case 'messageUpdated':
      return `${event[0]} ${event[2].record.index} ${event[2].record.body} (${event[3].join(', ')})`
    case 'participantJoined':
    case 'participantLeft':
      return `${event[0]} ${event[2].record.identity ?? event[2].record.binding?.address}`
    case 'participantUpdated':
      return `${event[0]} ${event[2].record.identity} (${event[3].join(', ')})`
    case 'typingStarted':
    case 'typingEnded':
      return `${event[0]} ${event[2].record.identity}`
    case 'conversationUpdated':
      return `${event[0]} ${event[1].record.friendlyName} (${event[3].join(', ')})`
    case 'conversationAdded':
    case 'conversationJoined':
    case 'conversationLeft':
    case 'conversationRemoved':
      return `${event[0]} ${event[1].record.friendlyName}`
    case 'userUpdated':
      return `${event[0]} ${event[1].identity} ${event[1].record?.friendlyName} (${event[2].join(', ')})`
    case 'operationRefused':
      return `${event[0]} ${event[1].operation.type} ${event[1].error.code}`
    case 'connectionStateChanged':
      return `${event[0]} ${event[1]}`
    default:
      return event[0]
  }
}

/** Lets a few turns of the event loop pass: everything that needs no network, disk or timer has happened then. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
