/** Push: what an app hands to the SDK and gets back. Registrations over the wire stand in test/users.test.ts. */
import { NotificationTypes, PushNotification } from '@confab/client'
import { expect, test } from 'vitest'
import { connected, decided, next, relayOf, when } from './stage.ts'

const payload = {
  twi_message_type: 'twilio.conversations.new_message',
  conversation_sid: 'CH1',
  message_sid: 'IM1',
  message_index: '3',
  twi_body: 'Alice: hello',
}

test('handlePushNotification emits pushNotification with the parsed payload, an instance of PushNotification', async () => {
  const client = await connected('alice', await relayOf())
  const told = next<PushNotification>(client, 'pushNotification')
  await client.handlePushNotification({ data: payload })
  const notification = await told
  expect(notification).toBeInstanceOf(PushNotification)
  expect(notification.type).toBe(NotificationTypes.NEW_MESSAGE)
  expect(notification.data).toMatchObject({ conversationSid: 'CH1', messageSid: 'IM1', messageIndex: 3 })
})

test('registering makes its user notifiable to others, and taking it back ends that', async () => {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const user = await bob.getUser('alice')
  await alice.setPushRegistrationId('fcm', 'a device token')
  await when(() => user.isNotifiable === true)
  await alice.unsetPushRegistrationId('fcm')
  await when(() => user.isNotifiable === false)
  await decided(alice)
})
