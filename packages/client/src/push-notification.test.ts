import { expect, test } from 'vitest'
import { open, record } from '../test/fake-engine.ts'
import { Client, NotificationTypes, PushNotification } from './index.ts'

const fields = {
  twi_message_type: NotificationTypes.NEW_MESSAGE,
  conversation_sid: 'CH1',
  conversation_title: 'Tea',
  message_sid: 'IM1',
}

test('a payload is read as APNs delivers it', () => {
  const payload = {
    aps: { alert: { title: 'Tea', body: 'bob: hello' }, badge: 2, sound: 'ping', category: 'reply' },
    ...fields,
    message_index: 7,
  }
  const read = Client.parsePushNotification(payload)
  expect(read).toBeInstanceOf(PushNotification)
  expect(read).toMatchObject({
    title: 'Tea',
    body: 'bob: hello',
    badge: 2,
    sound: 'ping',
    action: 'reply',
    type: NotificationTypes.NEW_MESSAGE,
    data: { conversationSid: 'CH1', conversationTitle: 'Tea', messageSid: 'IM1', messageIndex: 7 },
  })
  expect(Client.parsePushNotification({ ...payload, aps: { alert: 'hello' } })).toMatchObject({
    title: null,
    body: 'hello',
  })
})

test('a payload is read as FCM delivers it, where everything is text', async () => {
  const { client } = await open()
  const heard = record(client, ['pushNotification'])
  await client.handlePushNotification({ data: { ...fields, twi_body: 'hello', message_index: '7' } })
  expect(heard[0]?.[1]).toMatchObject({ title: null, body: 'hello', badge: null, data: { messageIndex: 7 } })
})

test('what is no push notification is refused with 20001', () => {
  for (const payload of [null, {}, { aps: {} }, { data: { twi_message_type: 'other' } }]) {
    expect(() => Client.parsePushNotification(payload)).toThrow(expect.objectContaining({ code: 20001 }))
  }
})
