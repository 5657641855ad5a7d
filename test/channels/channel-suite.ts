/**
 * What every channel does. A channel's test gives a provider on a real socket, and says how people and reports come
 * in there; what is the channel's alone stays in its own test.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conversation } from '@confab/client'
import type { Channel } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import {
  ChannelError,
  type ChannelEvents,
  type FailureKind,
  type InboundMessage,
  type OutboundMessage,
  type StatusReport,
} from '../../server/src/channels/channel.ts'
import { channelWebhooks } from '../../server/src/channels/webhooks.ts'
import { connected, decided, relayOf, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'

/** Where a provider finds the channel. */
export interface Reached {
  channel: Channel
  /** Its webhook. */
  webhook: string
}

export interface Provider {
  /** Our address, and a person's. */
  readonly ours: string
  readonly theirs: string
  /** A channel to it, which takes what a person sends that answers nothing. */
  channel(perSecond?: number): Channel
  /** What it took, in order. */
  taken(): { to: string; body: string }[]
  /** Resolves when it holds; asked again whenever it took something. */
  until(condition: () => boolean): Promise<void>
  /** How it answers the next message. */
  refuse(kind: FailureKind): void
  /** The person sends. Resolves with whether it was told that the relay has it. */
  says(at: Reached, id: string, body: string): Promise<boolean>
  /** Tells how far a message came: `delivered`, or what is told before that. */
  reports(at: Reached, name: string, status: 'early' | 'delivered'): Promise<unknown>
  /** Whether what it tells of people has a name, so that the same told twice is known. */
  readonly namesInbound: boolean
  stop(): Promise<void>
}

/** What a channel told, and what the relay does about the next message of a person. */
class Recorder implements ChannelEvents {
  readonly messages: InboundMessage[] = []
  readonly reports: StatusReport[] = []
  readonly log = { info() {}, warn() {} }
  taking: () => Promise<'posted' | 'refused'> = async () => 'posted'

  received = (message: InboundMessage) => {
    this.messages.push(message)
    return this.taking()
  }
  reported = async (report: StatusReport) => void this.reports.push(report)
  joined = async () => null
  joinedAndPosted = async () => {}
}

/** @param start gives a provider that nobody has used */
export function channelSuite(name: string, start: () => Promise<Provider>): void {
  let provider: Provider
  const endings: (() => unknown)[] = []
  beforeEach(async () => {
    provider = await start()
  })
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end()
    await provider.stop()
  })

  /** The channel alone, started, with what it tells written down. */
  async function alone(perSecond?: number) {
    const channel = provider.channel(perSecond)
    const events = new Recorder()
    await channel.start(events)
    endings.push(() => channel.stop())
    const handler = channelWebhooks({ named: () => channel }, { error() {} })
    const server: Server = createServer((request, response) => void handler(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    endings.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    await when(() => channel.status().isConnected)
    return { channel, events, at: { channel, webhook: `http://127.0.0.1:${port}/channels/${channel.name}` } }
  }

  const letter = (number: number, body = `message ${number}`): OutboundMessage => {
    const digits = String(number).padStart(32, '0')
    return {
      idempotencyKey: `IM${digits}-MB${digits}`,
      from: provider.ours,
      to: provider.theirs,
      body,
      conversation: { sid: `CH${digits}` },
      messageSid: `IM${digits}`,
      participantSid: `MB${digits}`,
      author: 'alice',
    }
  }

  const relayWith = async (database = ':memory:') => {
    const channel = provider.channel()
    const relay = await relayOf({
      database,
      channels: { serviceSid: defaultServiceSid(ACCOUNT), channels: [channel] },
    })
    const at: Reached = { channel, webhook: `${relay.httpUrl}/channels/${channel.name}` }
    await when(() => channel.status().isConnected)
    return { relay, at }
  }

  /** A relay with the channel, and alice in a conversation with the person. */
  async function scene(database?: string) {
    const { relay, at } = await relayWith(database)
    const alice = await connected('alice', relay)
    const [conversation] = await together(alice)
    await conversation!.addNonChatParticipant(provider.ours, provider.theirs)
    await decided(alice)
    return { relay, alice, conversation: conversation!, at }
  }

  const receiptOf = async (conversation: Conversation) =>
    (await (await conversation.getMessages(100)).items.at(-1)!.getDetailedDeliveryReceipts())[0]
  const bodies = () => provider.taken().map(({ body }) => body)

  describe(`${name}, as every channel,`, () => {
    test('sends what it is given, once, and says what the provider calls it', async () => {
      const { channel } = await alone()
      const names: string[] = []
      for (const at of [1, 2]) names.push((await channel.send(letter(at))).channelMessageSid)
      expect(provider.taken()).toEqual([1, 2].map((at) => ({ to: provider.theirs, body: `message ${at}` })))
      expect(names.every(Boolean)).toBe(true)
      expect(new Set(names).size).toBe(2)
    })

    test('tells what may be tried again from what may not, and goes on after either', async () => {
      const { channel } = await alone()
      for (const kind of ['temporary', 'permanent'] as const) {
        provider.refuse(kind)
        const error = await channel.send(letter(1)).catch((caught: unknown) => caught)
        expect(error).toBeInstanceOf(ChannelError)
        expect((error as ChannelError).kind).toBe(kind)
        expect((error as ChannelError).code).toBeGreaterThan(0)
      }
      await channel.send(letter(2))
      expect(bodies()).toEqual(['message 2'])
    })

    test('sends nothing before its start and after its end, and may be tried again then', async () => {
      const early = provider.channel()
      const { channel } = await alone()
      await channel.stop()
      for (const one of [early, channel]) {
        const error = await one.send(letter(1)).catch((caught: unknown) => caught)
        expect(error).toMatchObject({ name: 'ChannelError', kind: 'temporary' })
      }
      expect(provider.taken()).toEqual([])
    })

    test('begins again after an end', async () => {
      const { channel, events } = await alone()
      await channel.stop()
      await channel.start(events)
      await when(() => channel.status().isConnected)
      await channel.send(letter(1))
      expect(bodies()).toEqual(['message 1'])
    })

    test('keeps to its rate, in the order of asking', async () => {
      const { channel } = await alone(20)
      const start = performance.now()
      await Promise.all([1, 2, 3, 4, 5].map((at) => channel.send(letter(at))))
      // four gaps of 50 ms; timers may end a millisecond early
      expect(performance.now() - start).toBeGreaterThanOrEqual(4 * 50 - 4)
      expect(provider.taken()).toHaveLength(5)
    })

    test('tells what a person sends, and its provider that the relay has it only when it has', async () => {
      const { events, at } = await alone()
      const { promise: stored, resolve: store } = Promise.withResolvers<'posted'>()
      events.taking = () => stored
      let answer: boolean | null = null
      const saying = provider.says(at, 'in-1', 'Hello relay').then((taken) => {
        answer = taken
      })
      await when(() => events.messages.length === 1)
      expect(answer).toBeNull()
      store('posted')
      await saying
      expect(answer).toBe(true)
      expect(events.messages[0]).toMatchObject({ from: provider.theirs, to: provider.ours })
      expect(events.messages[0]!.body.trim()).toBe('Hello relay')
    })

    test('has its provider tell again what the relay could not store', async () => {
      const { events, at } = await alone()
      events.taking = () => Promise.reject(new Error('the disk is full'))
      expect(await provider.says(at, 'in-1', 'Hello')).toBe(false)
      events.taking = async () => 'posted'
      expect(await provider.says(at, 'in-1', 'Hello')).toBe(true)
      const [first, second] = events.messages
      if (provider.namesInbound) expect(second!.id).toBe(first!.id)
    })

    test('gives a person a message by them in their conversation, once where it can tell', async () => {
      const { conversation, at } = await scene()
      await provider.says(at, 'in-1', 'one')
      if (provider.namesInbound) await provider.says(at, 'in-1', 'one')
      await provider.says(at, 'in-2', 'two')
      await shows(conversation, ['0 one', '1 two'])
      const [message] = (await conversation.getMessages()).items
      expect(message!.author).toBe(provider.theirs)
      expect((await message!.getParticipant()).type).toBe(at.channel.type)
    })

    test('brings statuses, which only move forward, whichever order they come in', async () => {
      const { conversation, at } = await scene()
      await conversation.sendMessage('Hello')
      await when(async () => (await receiptOf(conversation))?.status === 'sent')
      const { channelMessageSid } = (await receiptOf(conversation))!
      await provider.reports(at, channelMessageSid, 'delivered')
      await when(async () => (await receiptOf(conversation))?.status === 'delivered')
      await provider.reports(at, channelMessageSid, 'early')
      await provider.reports(at, 'nobody ever sent this', 'delivered')
      await conversation.sendMessage('and on')
      await when(async () => (await receiptOf(conversation))?.status === 'sent')
      const [first] = (await conversation.getMessages()).items
      expect((await first!.getDetailedDeliveryReceipts())[0]?.status).toBe('delivered')
    })

    test('a relay that ends in the middle sends what it had not, in order, and nothing twice', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'confab-channel-'))
      endings.push(() => rmSync(folder, { recursive: true, force: true }))
      const database = join(folder, 'relay.sqlite')
      const { relay, alice, conversation } = await scene(database)
      await conversation.sendMessage('one')
      await provider.until(() => provider.taken().length === 1)
      await when(async () => (await receiptOf(conversation))?.status === 'sent')
      provider.refuse('temporary')
      await conversation.sendMessage('two')
      await conversation.sendMessage('three')
      await decided(alice)
      await alice.shutdown()
      await relay.close()
      await relayWith(database)
      await provider.until(() => provider.taken().length === 3)
      expect(bodies()).toEqual(['one', 'two', 'three'])
    })
  })
}
