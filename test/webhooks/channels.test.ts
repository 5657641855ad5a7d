/** What webhooks are told of people without the SDK. */
import type { Channel, ChannelEvents } from '@confab/relay'
import { expect, test } from 'vitest'
import { HEARD, SERVICE, withServer } from './stage.ts'

const OURS = '+15550009999'
const PHONE = '+15550001111'

test('how far a message came, each news once, and whose words came in by which way', async () => {
  let events: ChannelEvents | null = null
  const carrier: Channel = {
    type: 'sms',
    name: 'carrier',
    addresses: [OURS],
    async start(given) {
      events = given
    },
    async stop() {},
    send: async () => ({ channelMessageSid: 'SM1' }),
    status: () => ({ isConnected: true, detail: '' }),
  }
  const { rest, server } = await withServer({ channels: { serviceSid: SERVICE, channels: [carrier] } })
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url })
  const { sid } = await rest.conversations.create()
  const participant = await rest.conversations(sid).participants.create({
    'messagingBinding.address': PHONE,
    'messagingBinding.proxyAddress': OURS,
    ...HEARD,
  })
  const message = await rest
    .conversations(sid)
    .messages.create({ author: 'support', body: 'Hello', ...HEARD })
  await server.until(() => server.types.includes('onDeliveryUpdated'))
  for (const status of ['delivered', 'delivered', 'sent'] as const)
    await (events as ChannelEvents | null)?.reported({ channelMessageSid: 'SM1', status })
  await (events as ChannelEvents | null)?.received({ id: 'in-1', from: PHONE, to: OURS, body: 'Hello back' })
  await server.until(() => server.told.at(-1)?.fields.Body === 'Hello back')

  expect(server.types).toEqual([
    'onParticipantAdded',
    'onMessageAdded',
    'onDeliveryUpdated',
    'onDeliveryUpdated',
    'onMessageAdded',
  ])
  const [added, , sent, delivered, inbound] = server.told.map(({ fields }) => fields)
  expect(added).toMatchObject({
    'MessagingBinding.Type': 'sms',
    'MessagingBinding.Address': PHONE,
    'MessagingBinding.ProxyAddress': OURS,
    ParticipantSid: participant.sid,
  })
  const receipt = {
    ConversationSid: sid,
    MessageSid: message.sid,
    ParticipantSid: participant.sid,
    ChannelMessageSid: 'SM1',
    DeliveryReceiptSid: expect.stringMatching(/^DY[0-9a-f]{32}$/),
    ErrorCode: '0',
    Source: 'SMS',
  }
  expect(sent).toMatchObject({ ...receipt, Status: 'sent' })
  expect(delivered).toMatchObject({ ...receipt, Status: 'delivered' })
  expect(inbound).toMatchObject({ Author: PHONE, ParticipantSid: participant.sid, Source: 'SMS', Index: '1' })
  expect(inbound).not.toHaveProperty('ClientIdentity')
})
