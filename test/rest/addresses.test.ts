/** An address that a server configures begins conversations with strangers who write to it. */
import type { Channel, ChannelEvents } from '@confab/relay'
import { expect, test } from 'vitest'
import { OTHER_ACCOUNT, OTHER_TOKEN, onStage, pointed, refusal, SERVICE } from './stage.ts'

const OURS = '+14155550999'

/** A channel without a provider: what comes in is said by the test. */
function quiet(): Channel & { events?: ChannelEvents } {
  return {
    type: 'sms',
    name: 'quiet',
    addresses: [OURS],
    async start(events) {
      this.events = events
    },
    async stop() {},
    send: async () => ({ channelMessageSid: 'SM1' }),
    status: () => ({ isConnected: true, detail: '' }),
  }
}

test('only while it is configured and enabled, and only for a service of the account', async () => {
  const channel = quiet()
  const stage = await onStage({ channels: { serviceSid: SERVICE, channels: [channel] } })
  const { rest } = stage
  const write = (id: string, from: string) =>
    channel.events?.received({ id, from, to: OURS, body: `hello from ${from}` })
  expect(await write('1', '+14155550101')).toBe('refused')
  const other = pointed(stage, OTHER_ACCOUNT, OTHER_TOKEN)
  const foreign = {
    type: 'sms' as const,
    address: OURS,
    'autoCreation.enabled': true,
    'autoCreation.conversationServiceSid': SERVICE,
  }
  expect(await refusal(other.addressConfigurations.create(foreign))).toMatchObject({ code: 20001 })
  const { sid } = await rest.addressConfigurations.create({
    type: 'sms',
    address: OURS,
    'autoCreation.enabled': true,
  })
  expect(await write('2', '+14155550101')).toBe('posted')
  expect(await write('3', '+14155550101')).toBe('posted')
  const [begun, ...more] = await rest.participantConversations.list({ address: '+14155550101' })
  expect(more).toEqual([])
  const messages = await rest.conversations(begun?.conversationSid as string).messages.list()
  expect(messages.map(({ author, body }) => [author, body])).toEqual([
    ['+14155550101', 'hello from +14155550101'],
    ['+14155550101', 'hello from +14155550101'],
  ])
  await rest.addressConfigurations(sid).update({ 'autoCreation.enabled': false })
  expect(await write('4', '+14155550102')).toBe('refused')
  expect(stage.failures).toEqual([])
})
