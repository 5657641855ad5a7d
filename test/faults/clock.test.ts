/** Somebody sets the clock of a device, or of the relay, by a day and back again, while everything runs. */
import { Client, type Conversation, memory } from '@confab/client'
import { decodeInvite } from '@confab/core'
import { createAccessToken } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { eager, joined } from '../crash/kills.ts'
import { type FaultyProxy, faultyProxy } from '../support/faulty-proxy.ts'
import { ACCOUNT, KEY, SECRET } from '../support/relay.ts'
import { type RelayProcess, runRelay } from '../support/relay-process.ts'
import { until } from '../support/until.ts'
import { HEARD, withServer } from '../webhooks/stage.ts'

const DAY = 86_400_000
const HOUR = 3600

/** The clock of this process, set before anything is loaded that remembers how to ask it. */
const clock = vi.hoisted(() => {
  const real = Date.now
  const clock = { off: 0, real }
  Date.now = () => real() + clock.off
  return clock
})
afterEach(() => {
  clock.off = 0
})

describe.each([native, yWebsocket])('over %o, a device whose clock is set', (transport) => {
  let relay: RelayProcess
  let proxy: FaultyProxy
  const clients: Client[] = []
  /** The app's server has a clock of its own. */
  const tokenFor = (identity: string) =>
    createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity, now: clock.real() })
  const clientOf = (identity: string) => {
    const client = new Client(() => tokenFor(identity), {
      url: `ws://127.0.0.1:${proxy.port}`,
      identity,
      storage: memory(),
      transport: eager(transport()),
      logger: {},
    })
    clients.push(client)
    return client
  }
  beforeEach(async () => {
    relay = await runRelay({ database: ':memory:', timing: { heartbeat: 200 } })
    proxy = await faultyProxy(relay.port, [])
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.shutdown()))
    await proxy.close()
    await relay.kill()
  })

  /** Written, taken by the relay, and read by the other; the sign of typing before it comes and ends. */
  async function says(from: Conversation, to: Conversation, reader: Client, body: string) {
    const told: string[] = []
    const started = new Promise<void>((resolve) => to.once('typingStarted', () => resolve()))
    to.once('typingEnded', () => told.push('ended'))
    await from.typing()
    await started
    const message = await from.sendMessage(body)
    await until(reader, async () => (await to.getMessages(1)).items[0]?.body === body)
    expect(told, body).toEqual(['ended'])
    return message
  }

  it.each([DAY, -DAY])(
    'by %i ms and back writes, types, reads, comes back and invites as before',
    async (jump) => {
      const [ada, bob] = [clientOf('ada'), clientOf('bob')]
      const came = joined(bob)
      const hers = await ada.createConversation({ friendlyName: 'time' })
      await hers.join()
      await hers.add('bob')
      const his = await came
      await says(hers, his, bob, 'before')
      for (const [when, off] of [
        ['after', jump],
        ['back', 0],
      ] as const) {
        clock.off = off
        await says(hers, his, bob, `${when}, on the connection that there is`)
        await says(his, hers, ada, `${when}, from the other side`)
        proxy.cut()
        await until(ada, () => ada.connectionState !== 'connected')
        await hers.sendMessage(`${when}, without a connection`)
        await until(ada, () => ada.getPendingOperations().length === 0)
        await until(
          bob,
          async () => (await his.getMessages(1)).items[0]?.body === `${when}, without a connection`,
        )
        await until(ada, () => ada.connectionState === 'connected')
        await until(bob, () => bob.connectionState === 'connected')
      }
      expect([...ada.getHeldOperations(), ...bob.getHeldOperations()]).toEqual([])
      const { items } = await hers.getMessages(100)
      expect(items).toHaveLength(7)
      // by the relay's clock, which nobody has set
      for (const { dateCreated } of items)
        expect(Math.abs((dateCreated?.getTime() ?? 0) - clock.real())).toBeLessThan(DAY / 2)
    },
    30_000,
  )

  it.runIf(transport === native).each([DAY, -DAY])(
    'by %i ms while it is connected makes invites that end when they should, once it has been quiet for a heartbeat',
    async (jump) => {
      const ada = clientOf('ada')
      const conversation = await ada.createConversation({ friendlyName: 'time' })
      await conversation.join()
      await until(ada, () => ada.connectionState === 'connected' && ada.getPendingOperations().length === 0)
      clock.off = jump
      // until it has heard what time it is, the relay may refuse one as expired
      const ends = async () => {
        try {
          return decodeInvite(await conversation.createInvite({ expiresIn: HOUR })).expiresAt
        } catch (error) {
          expect(error).toMatchObject({ code: 70202 })
          return 0
        }
      }
      // a connection that is busy isn't asked whether it lives
      const isRight = async () => Math.abs((await ends()) - clock.real() - HOUR * 1000) < DAY / 2
      while (!(await isRight())) await new Promise((next) => setTimeout(next, 500))
      expect(ada.connectionState).toBe('connected')
    },
    20_000,
  )
})

describe('a relay whose clock is set back by a day', () => {
  it('tells a webhook again what it did not take, and does not wait for a day', async () => {
    let note = () => {}
    const noted = new Promise<void>((resolve) => {
      note = resolve
    })
    const { server, rest } = await withServer({
      webhooks: { firstRetry: 300, longestRetry: 600 },
      logger: {
        debug() {},
        info: (_, message) => message === 'a webhook did not take an event' && note(),
        warn() {},
        error() {},
      },
    })
    server.answer = () => ({ status: 500 })
    await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
    const { sid } = await rest.conversations.create()
    await rest.conversations(sid).messages.create({ body: 'hello', ...HEARD })
    // when it is to be told again is written down by then
    await noted
    clock.off = -DAY
    server.answer = () => ({ status: 200 })
    await server.until(() => server.told.length === 2)
    expect(server.told.map(({ fields }) => fields.RetryCount)).toEqual(['0', '1'])
  })
})
