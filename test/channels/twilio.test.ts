/** SMS and WhatsApp by Twilio's Programmable Messaging, against a local server that keeps to the published contract. */
import type { Conversation } from '@confab/client'
import { twilioMessaging } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import { connected, decided, relayOf, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { channelSuite } from './channel-suite.ts'
import { TWILIO, TwilioServer } from './twilio-server.ts'

let provider: TwilioServer
beforeEach(async () => {
  provider = await TwilioServer.start()
})
afterEach(() => provider.stop())

const PUBLIC = 'https://relay.example.org'

channelSuite('Twilio', async () => {
  const server = await TwilioServer.start()
  const [ours, theirs] = ['+15550007777', '+15550001111']
  const tell = (webhook: string, parameters: { [name: string]: string }) =>
    server.tell(`${PUBLIC}/channels/twilio-sms`, webhook, parameters)
  return {
    ours,
    theirs,
    channel: (perSecond = 100) =>
      twilioMessaging({
        ...TWILIO,
        type: 'sms',
        addresses: [ours],
        publicUrl: PUBLIC,
        apiUrl: server.url,
        perSecond,
      }),
    taken: () => server.sent.map(({ To = '', Body = '' }) => ({ to: To, body: Body })),
    until: (condition) => server.until(condition),
    refuse: (kind) => server.refusals.push(kind === 'temporary' ? [429, 20429] : [400, 21211]),
    says: async ({ webhook }, id, body) =>
      (await tell(webhook, { MessageSid: id, From: theirs, To: ours, Body: body, NumMedia: '0' })) === 200,
    reports: ({ webhook }, name, status) =>
      tell(webhook, {
        MessageSid: name,
        MessageStatus: status === 'early' ? 'sent' : status,
        From: ours,
        To: theirs,
      }),
    namesInbound: true,
    stop: () => server.stop(),
  }
})

async function scene(type: 'sms' | 'whatsapp') {
  const [ours, phone] = ['+15550007777', '+15550001111'].map((n) =>
    type === 'sms' ? n : `whatsapp:${n}`,
  ) as [string, string]
  const relay = await relayOf({
    channels: {
      serviceSid: defaultServiceSid(ACCOUNT),
      channels: [
        twilioMessaging({
          ...TWILIO,
          type,
          addresses: [ours],
          publicUrl: PUBLIC,
          apiUrl: provider.url,
          perSecond: 100,
        }),
      ],
    },
  })
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  await conversation!.addNonChatParticipant(ours, phone)
  await decided(alice)
  const path = `/channels/twilio-${type}`
  const tell = (parameters: { [name: string]: string }, token?: string) =>
    provider.tell(PUBLIC + path, relay.httpUrl + path, parameters, token)
  return { conversation: conversation!, ours, phone, tell }
}

const statusOf = async (conversation: Conversation) => {
  const message = (await conversation.getMessages()).items.at(-1)
  const [receipt] = (await message?.getDetailedDeliveryReceipts()) ?? []
  return receipt && [receipt.status, receipt.errorCode]
}

describe.each(['sms', 'whatsapp'] as const)('%s', (type) => {
  test('goes out by the API, and its status comes back by webhook', async () => {
    const { conversation, ours, phone, tell } = await scene(type)
    await conversation.sendMessage('Hello')
    await provider.until(() => provider.sent.length === 1)
    expect(provider.sent[0]).toMatchObject({
      From: ours,
      To: phone,
      Body: 'Hello',
      StatusCallback: `${PUBLIC}/channels/twilio-${type}`,
    })
    const MessageSid = provider.sent[0]!.sid as string
    expect(await tell({ MessageSid, MessageStatus: 'delivered', From: ours, To: phone })).toBe(200)
    expect(await tell({ MessageSid, MessageStatus: 'sent', From: ours, To: phone })).toBe(200)
    await when(async () => (await statusOf(conversation))?.[0] === 'delivered')
  })

  test('comes in by webhook, once', async () => {
    const { conversation, ours, phone, tell } = await scene(type)
    const inbound = { MessageSid: 'SMin', From: phone, To: ours, Body: 'hi', NumMedia: '0' }
    expect(await tell(inbound)).toBe(200)
    expect(await tell(inbound)).toBe(200)
    await tell({ ...inbound, MessageSid: 'MMin', Body: '', NumMedia: '1', MediaContentType0: 'image/jpeg' })
    await shows(conversation, ['0 hi', '1 [image/jpeg]'])
  })
})

test('a webhook that Twilio did not sign is refused', async () => {
  const { conversation, ours, phone, tell } = await scene('sms')
  expect(
    await tell({ MessageSid: 'SM1', From: phone, To: ours, Body: 'forged', NumMedia: '0' }, 'another token'),
  ).toBe(403)
  await tell({ MessageSid: 'SM2', From: phone, To: ours, Body: 'genuine', NumMedia: '0' })
  await shows(conversation, ['0 genuine'])
})

test('a failure has its code, whether it comes at once or later', async () => {
  const { conversation, ours, phone, tell } = await scene('sms')
  provider.refusals.push([400, 21211])
  await conversation.sendMessage('nobody')
  await when(async () => (await statusOf(conversation))?.[0] === 'failed')
  expect(await statusOf(conversation)).toEqual(['failed', '21211'])
  await conversation.sendMessage('off')
  await provider.until(() => provider.sent.length === 1)
  await tell({
    MessageSid: provider.sent[0]!.sid as string,
    MessageStatus: 'undelivered',
    ErrorCode: '30003',
    From: ours,
    To: phone,
  })
  await when(async () => (await statusOf(conversation))?.[0] === 'undelivered')
  expect(await statusOf(conversation)).toEqual(['undelivered', '30003'])
})
