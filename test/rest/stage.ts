/** A relay with an account, the official package pointed at it, unmodified, and SDK clients that watch. */
import { Client, memory } from '@confab/client'
import { defaultServiceSid } from '@confab/core'
import { createAccessToken, type RelayOptions } from '@confab/relay'
import twilio from 'twilio'
import { afterEach } from 'vitest'
import { ACCOUNT, KEY, SECRET, startRelay, type TestRelay } from '../support/relay.ts'

export { ACCOUNT, KEY, SECRET }
export const TOKEN = 'f'.repeat(32)
export const OTHER_ACCOUNT = `AC${'e'.repeat(32)}`
export const OTHER_TOKEN = 'd'.repeat(32)
export const SERVICE = defaultServiceSid(ACCOUNT)

export interface Stage extends TestRelay {
  readonly rest: ReturnType<typeof pointed>
}

const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

/** The official client, its base address replaced as an app would. */
export function pointed(relay: { httpUrl: string }, sid = ACCOUNT, token = TOKEN) {
  const client = twilio(sid, token, { accountSid: ACCOUNT })
  client.conversations.baseUrl = relay.httpUrl
  return client.conversations.v1
}

export async function onStage(options: Partial<RelayOptions> = {}): Promise<Stage> {
  const relay = await startRelay({
    accounts: { [ACCOUNT]: { authToken: TOKEN }, [OTHER_ACCOUNT]: { authToken: OTHER_TOKEN } },
    ...options,
  })
  ended.push(() => relay.close())
  return Object.assign(relay, { rest: pointed(relay) })
}

/** Somebody with the SDK, connected. */
export async function person(
  relay: { url: string },
  identity: string,
  more: { serviceSid?: string; accountSid?: string; roleSid?: string } = {},
): Promise<Client> {
  const { accountSid = ACCOUNT, ...rest } = more
  const token = () => createAccessToken({ accountSid, key: KEY, secret: SECRET, identity, ...rest })
  const client = await Client.create(token, { url: relay.url, storage: memory(), logLevel: 'silent' })
  ended.push(() => client.shutdown())
  // until then what is done is only on the device
  if (client.connectionState !== 'connected')
    await event(client, 'connectionStateChanged', (state) => state === 'connected')
  return client
}

/** What a call was refused with. */
export async function refusal(
  work: Promise<unknown>,
): Promise<{ code: number; status: number; message: string }> {
  try {
    await work
  } catch (error) {
    const { code, status, message } = error as { code: number; status: number; message: string }
    return { code, status, message }
  }
  throw new Error('nothing was refused')
}

/** Resolves with the first event for which the test holds. */
export function event<Payload>(
  emitter: { on(event: never, listener: never): unknown },
  name: string,
  test: (payload: Payload) => boolean = () => true,
): Promise<Payload> {
  return new Promise((resolve) => {
    emitter.on(name as never, ((payload: Payload) => test(payload) && resolve(payload)) as never)
  })
}
