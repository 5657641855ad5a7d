/** SMS by SMPP: a relay, a message centre on a real socket, and people with the SDK who watch. */
import { type RelayOptions, smpp } from '@confab/relay'
import { afterEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import { connected, decided, relayOf, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { channelSuite } from './channel-suite.ts'
import { Smsc, warningOfWrongPassword } from './smsc.ts'

const OURS = '+15550009999'
const PHONE = '+15550001111'
const OTHER = '+15550002222'

let smsc: Smsc
afterEach(() => smsc?.stop())

const channelTo = (centre: Smsc, options: object = {}): NonNullable<RelayOptions['channels']> => ({
  serviceSid: defaultServiceSid(ACCOUNT),
  channels: [
    smpp({
      host: '127.0.0.1',
      port: centre.port,
      systemId: 'confab',
      password: 'secret',
      addresses: [OURS],
      perSecond: 1000,
      reconnect: 20,
      ...options,
    }),
  ],
})

/** Alice has a conversation with a phone, and both sides are connected. */
async function scene(more: Partial<RelayOptions> = {}) {
  smsc = await Smsc.start()
  const relay = await relayOf({ channels: channelTo(smsc), ...more })
  await smsc.until(() => smsc.sessions.length === 1)
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  await conversation!.addNonChatParticipant(OURS, PHONE)
  await decided(alice)
  return { relay, alice, conversation: conversation! }
}

const receiptOf = async (conversation: Awaited<ReturnType<typeof scene>>['conversation'], at = -1) =>
  (await (await conversation.getMessages(100)).items.at(at)!.getDetailedDeliveryReceipts())[0]

channelSuite('SMPP', async () => {
  const centre = await Smsc.start()
  centre.stat = undefined
  return {
    ours: OURS,
    theirs: PHONE,
    channel: (perSecond = 1000) => channelTo(centre, { perSecond }).channels[0]!,
    taken: () => centre.delivered.map(({ to, text }) => ({ to, body: text })),
    until: (condition) => centre.until(condition),
    refuse: (kind) => centre.refusals.push(kind === 'temporary' ? 0x58 : 0x0b),
    says: async (_, __, body) => (await centre.sendAs(PHONE, OURS, body)) === 0,
    reports: async (_, name, status) =>
      centre.receipt(centre.sessions.at(-1)!, name, status === 'early' ? 'ENROUTE' : 'DELIVRD'),
    namesInbound: false,
    stop: () => centre.stop(),
  }
})

describe('sending', () => {
  test('a message reaches the phone once, and its receipt goes from queued to delivered', async () => {
    const { conversation } = await scene()
    await conversation.sendMessage('Hello phone')
    await smsc.until(() => smsc.acknowledged === 1)
    expect(smsc.delivered).toEqual([
      { from: OURS, to: PHONE, text: 'Hello phone', parts: 1, encoding: 0, id: 'smsc-1' },
    ])
    await when(async () => (await receiptOf(conversation))?.status === 'delivered')
    expect(await receiptOf(conversation)).toMatchObject({ channelMessageSid: 'smsc-1', errorCode: 0 })
  })

  test('a long one, emoji and Japanese arrive whole, joined from their parts', async () => {
    const { conversation } = await scene()
    const texts = ['€[x]'.repeat(90), 'よろしく👨‍👩‍👧 '.repeat(40).trim()]
    for (const text of texts) await conversation.sendMessage(text)
    await smsc.until(() => smsc.delivered.length === 2)
    expect(smsc.delivered.map(({ text }) => text)).toEqual(texts)
    expect(smsc.delivered.map(({ parts, encoding }) => ({ parts, encoding }))).toEqual([
      { parts: 5, encoding: 0 },
      { parts: 8, encoding: 8 },
    ])
  })

  test('order is kept while the centre throttles', async () => {
    const { conversation } = await scene()
    smsc.refusals.push(0x58)
    for (const body of ['one', 'two', 'three']) await conversation.sendMessage(body)
    await smsc.until(() => smsc.delivered.length === 3)
    expect(smsc.delivered.map(({ text }) => text)).toEqual(['one', 'two', 'three'])
  })

  test('a number that does not exist fails for good, with the code of the centre', async () => {
    const { conversation } = await scene()
    smsc.refusals.push(0x0b)
    await conversation.sendMessage('nobody')
    await when(async () => (await receiptOf(conversation))?.status === 'failed')
    expect(await receiptOf(conversation)).toMatchObject({ errorCode: '11' })
    await conversation.sendMessage('and the next one goes')
    await smsc.until(() => smsc.delivered.length === 1)
  })

  test('what could not be delivered says so', async () => {
    const { conversation } = await scene()
    smsc.stat = 'UNDELIV'
    await conversation.sendMessage('off')
    await when(async () => (await receiptOf(conversation))?.status === 'undelivered')
    expect(await receiptOf(conversation)).toMatchObject({ errorCode: '42' })
  })

  test('without a channel for the address it fails at once', async () => {
    smsc = await Smsc.start()
    const relay = await relayOf({ channels: channelTo(smsc) })
    const alice = await connected('alice', relay)
    const [conversation] = await together(alice)
    await conversation!.addNonChatParticipant('+15550007777', PHONE)
    await conversation!.sendMessage('to nowhere')
    await when(async () => (await receiptOf(conversation!))?.status === 'failed')
    expect(await receiptOf(conversation!)).toMatchObject({ errorCode: '21606' })
  })

  test('the centre is away: it waits, and goes when the centre is back', async () => {
    const { conversation } = await scene()
    const { port } = smsc
    await smsc.stop()
    await conversation.sendMessage('patience')
    expect(await receiptOf(conversation)).toMatchObject({ status: 'queued' })
    smsc = await Smsc.start(port)
    await smsc.until(() => smsc.delivered.length === 1)
    expect(smsc.delivered[0]?.text).toBe('patience')
  })

  test('in a group each message says who wrote it, and goes to everybody but its author', async () => {
    const { conversation } = await scene()
    await conversation.addNonChatParticipant(OURS, OTHER)
    await conversation.sendMessage('hi both')
    await smsc.until(() => smsc.delivered.length === 2)
    expect(smsc.delivered.map(({ to, text }) => `${to} ${text}`).sort()).toEqual(
      [`${PHONE} alice: hi both`, `${OTHER} alice: hi both`].sort(),
    )
    await smsc.sendAs(PHONE, OURS, 'hi all')
    await smsc.until(() => smsc.delivered.length === 3)
    expect(smsc.delivered[2]).toMatchObject({ to: OTHER, text: `${PHONE}: hi all` })
  })
})

describe('receiving', () => {
  test('what a phone sends is a message by that participant, acknowledged once it is on disk', async () => {
    const { conversation } = await scene()
    expect(await smsc.sendAs(PHONE, OURS, 'ça va? 👍'.replace('👍', ''))).toBe(0)
    await shows(conversation, ['0 ça va? '])
    const [message] = (await conversation.getMessages()).items
    expect(message).toMatchObject({ author: PHONE })
    expect((await message!.getParticipant()).type).toBe('sms')
    expect(message!.aggregatedDeliveryReceipt).toBeNull()
  })

  test('a message of several parts is one message, in whichever order they come', async () => {
    const { conversation } = await scene()
    const part = (number: number, text: string) =>
      smsc.sendAs(PHONE, OURS, text, {
        esm_class: 0x40,
        short_message: { udh: Buffer.from([5, 0, 3, 7, 3, number]), message: text },
      })
    expect(await part(3, 'three')).toBe(0)
    expect(await part(1, 'one ')).toBe(0)
    expect(await part(2, 'two ')).toBe(0)
    await shows(conversation, ['0 one two three'])
    // the same reference again is another message
    await part(1, 'a')
    await part(2, 'b')
    await part(3, 'c')
    await shows(conversation, ['0 one two three', '1 abc'])
  })

  test('a stranger is refused where our address begins no conversation', async () => {
    const { conversation } = await scene()
    expect(await smsc.sendAs(OTHER, OURS, 'who is there?')).toBe(0)
    await smsc.sendAs(PHONE, OURS, 'me')
    await shows(conversation, ['0 me'])
  })

  test('a stranger begins a conversation with the people whom the address names', async () => {
    smsc = await Smsc.start()
    const relay = await relayOf({
      channels: {
        ...channelTo(smsc),
        addresses: [{ address: OURS, autoCreate: { identities: ['desk'] } }],
      },
    })
    await smsc.until(() => smsc.sessions.length === 1)
    const desk = await connected('desk', relay)
    await smsc.sendAs(OTHER, OURS, 'I need help')
    await when(async () => (await desk.getSubscribedConversations()).items.length === 1)
    const [conversation] = (await desk.getSubscribedConversations()).items
    await shows(conversation!, ['0 I need help'])
    expect(conversation!.friendlyName).toBe(OTHER)
    await conversation!.sendMessage('We are on our way')
    await smsc.until(() => smsc.delivered.length === 1)
    await smsc.sendAs(OTHER, OURS, 'thanks')
    await shows(conversation!, ['0 I need help', '1 We are on our way', '2 thanks'])
    expect((await desk.getSubscribedConversations()).items).toHaveLength(1)
  })

  test('STOP ends what is sent to the phone, and START begins it again', async () => {
    const { conversation } = await scene()
    await smsc.sendAs(PHONE, OURS, 'Stop')
    await conversation.sendMessage('are you there?')
    await when(async () => (await receiptOf(conversation))?.status === 'failed')
    expect(await receiptOf(conversation)).toMatchObject({ errorCode: '21610' })
    await smsc.sendAs(PHONE, OURS, 'START')
    await conversation.sendMessage('welcome back')
    await smsc.until(() => smsc.delivered.length === 1)
    expect(smsc.delivered[0]?.text).toBe('welcome back')
  })
})

test('a cut connection is made again, and a wrong password is said', async () => {
  const { conversation } = await scene()
  smsc.cut()
  await smsc.until(() => smsc.sessions.length === 0)
  await smsc.until(() => smsc.sessions.length === 1)
  await conversation.sendMessage('again')
  await smsc.until(() => smsc.delivered.length === 1)

  expect(await warningOfWrongPassword(smsc.port)).toContain(
    'refused the binding (0x0000000e): are system id and password right?',
  )
})
