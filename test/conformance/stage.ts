/**
 * People with the SDK, a relay on a real socket, storage in memory: what an app sees. Everything ends after each test.
 */
import { Client, type ClientOptions, type ClientStorage, type Conversation, memory } from '@confab/client'
import { createAccessToken, type RelayOptions } from '@confab/relay'
import { afterEach, expect, vi } from 'vitest'
import { createEngine } from '../../packages/client/src/engine/create.ts'
import { type Platform, systemPlatform } from '../../packages/client/src/engine/platform.ts'
import { SEAMS } from '../../packages/client/src/startup.ts'
import { ACCOUNT, KEY, SECRET, startRelay, type TestRelay } from '../support/relay.ts'

const relays: TestRelay[] = []
const clients: Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})

export async function relayOf(options: Partial<RelayOptions> = {}): Promise<TestRelay> {
  const relay = await startRelay(options)
  relays.push(relay)
  return relay
}

/** Nothing listens there, and nothing needs to. */
export const NOWHERE = 'ws://127.0.0.1:1'

/** A token that says where the relay is, as a drop-in app's does. `issued` and `ttl` in seconds; issued now. */
export const tokenOf = (
  identity: string,
  url: string,
  { ttl = 3600, issued }: { ttl?: number; issued?: number } = {},
): Promise<string> =>
  createAccessToken({
    accountSid: ACCOUNT,
    key: KEY,
    secret: SECRET,
    identity,
    ttl,
    relayUrl: url,
    ...(issued === undefined ? {} : { now: issued * 1000 }),
  })

/** `new Client(token)` and nothing else, but for what a test is about. */
export async function start(identity: string, url: string, options: ClientOptions = {}): Promise<Client> {
  return startWith(await tokenOf(identity, url), options)
}

export function startWith(token: string | (() => Promise<string>), options: ClientOptions = {}): Client {
  const client = new Client(token, { storage: memory(), logLevel: 'silent', ...options })
  clients.push(client)
  return client
}

/** A client that has met its relay. */
export async function connected(
  identity: string,
  relay: { url: string },
  options: ClientOptions = {},
): Promise<Client> {
  const client = await start(identity, relay.url, options)
  await when(() => client.connectionState === 'connected')
  return client
}

/** A conversation that the first client created and joined, and everybody's own object of it. */
export async function together(creator: Client, ...others: Client[]): Promise<Conversation[]> {
  const conversation = await (await creator.createConversation({ friendlyName: 'Tea' })).join()
  for (const { user } of others) await conversation.add(user.identity)
  const theirs = await Promise.all(others.map((client) => joined(client, conversation.sid)))
  return [conversation, ...theirs]
}

/** The client's conversation with this sid, once it takes part. */
export async function joined(client: Client, sid: string): Promise<Conversation> {
  const all = async () => (await client.getSubscribedConversations()).items
  await when(async () => (await all()).some((one) => one.sid === sid && one.status === 'joined'))
  return client.getConversationBySid(sid)
}

/** Nothing of this device is undecided. */
export const decided = (client: Client): Promise<void> =>
  when(() => client.getPendingOperations().length === 0)

/** Resolves when it holds: being accepted is no event, so it is looked for, as an app's screen would. */
export async function when(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 10_000, interval: 5 })
}

interface Emitter {
  on(event: never, listener: never): unknown
  once(event: never, listener: never): unknown
}

/** The argument of the next event. */
export const next = <Argument>(emitter: Emitter, event: string): Promise<Argument> =>
  new Promise((resolve) => emitter.once(event as never, resolve as never))

/** The events from now on, in the order in which they come: the name, or what `tell` makes of the argument. */
export function heard(
  emitter: Emitter,
  events: readonly string[],
  // biome-ignore lint/suspicious/noExplicitAny: the argument of any event
  tell: (event: string, argument: any) => string = (event) => event,
): string[] {
  const all: string[] = []
  for (const event of events) {
    emitter.on(event as never, ((argument: unknown) => all.push(tell(event, argument))) as never)
  }
  return all
}

/** All that is under way on this device has been told. */
export const laterTask = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** Index and body of each message, as the conversation shows them; `…` marks a pending one. */
export const shown = async (conversation: Conversation): Promise<string[]> =>
  (await conversation.getMessages(100)).items.map(
    ({ index, body, status }) => `${index} ${body}${status === 'pending' ? ' …' : ''}`,
  )

export const shows = (conversation: Conversation, expected: string[]): Promise<void> =>
  when(async () => (await shown(conversation)).join() === expected.join())

/** What an error says to an app. */
export const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

/** The options of a client on this storage whose clock the test turns. */
export function inTime(storage: ClientStorage = memory()): {
  options: ClientOptions
  pass(milliseconds: number): void
} {
  const system = systemPlatform()
  const timers = new Map<object, { at: number; task: () => void; real: unknown }>()
  let ahead = 0
  const platform: Platform = {
    ...system,
    now: () => system.now() + ahead,
    setTimeout: (task, ms) => {
      const timer = {}
      const run = () => timers.delete(timer) && task()
      timers.set(timer, { at: platform.now() + ms, task: run, real: system.setTimeout(run, ms) })
      return timer
    },
    clearTimeout: (timer) => {
      system.clearTimeout(timers.get(timer as object)?.real)
      timers.delete(timer as object)
    },
  }
  const seams = {
    createEngine: (options: Parameters<typeof createEngine>[0]) => createEngine({ ...options, platform }),
    now: platform.now,
  }
  return {
    options: { storage, [SEAMS]: seams } as ClientOptions,
    pass(milliseconds) {
      ahead += milliseconds
      for (const { at, task, real } of [...timers.values()]) {
        if (at > platform.now()) continue
        system.clearTimeout(real)
        task()
      }
    },
  }
}
