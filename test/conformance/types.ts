/**
 * Compiled by `npm run types`, never run: our objects stand where Twilio's are expected, class by class, as in an app
 * whose import is aliased.
 */
import type { EventEmitter } from 'node:events'
import type * as Confab from '@confab/client'
import type * as Twilio from '@twilio/conversations'
import type { Classes, Translated } from './translate.ts'

declare function expectType<T>(value: T): void
declare function ours<Name extends keyof Classes>(name: Name): Classes[Name]['ours']

/** Not for an app, or Node's own of every emitter, where ours say which events there are. */
type Left = `_${string}` | symbol | 'entityName' | keyof EventEmitter

/** What an app can reach of Twilio's class. */
type Public<Name extends keyof Classes> = {
  [Key in keyof Classes[Name]['theirs'] as Exclude<Key, Left>]: Translated<Classes[Name]['theirs'][Key]>
}

expectType<Public<'Client'>>(ours('Client'))
expectType<Public<'Conversation'>>(ours('Conversation'))
expectType<Public<'Participant'>>(ours('Participant'))
expectType<Public<'Message'>>(ours('Message'))
expectType<Public<'User'>>(ours('User'))
expectType<Public<'Media'>>(ours('Media'))
expectType<Public<'AggregatedDeliveryReceipt'>>(ours('AggregatedDeliveryReceipt'))
expectType<Public<'DetailedDeliveryReceipt'>>(ours('DetailedDeliveryReceipt'))
expectType<Public<'MessageBuilder'>>(ours('MessageBuilder'))
expectType<Public<'UnsentMessage'>>(ours('UnsentMessage'))
expectType<Public<'PushNotification'>>(ours('PushNotification'))
expectType<Public<'ContentTemplate'>>(ours('ContentTemplate'))
expectType<Public<'ContentTemplateVariable'>>(ours('ContentTemplateVariable'))
expectType<Public<'ChannelMetadata'>>(ours('ChannelMetadata'))
expectType<Public<'EmailRecipientDescriptor'>>(ours('EmailRecipientDescriptor'))
expectType<Public<'UnknownRecipientDescriptor'>>(ours('UnknownRecipientDescriptor'))

// and the comparison can tell: what is not what Twilio promises is refused
declare const wrong: {
  getUser: () => Promise<Confab.Conversation>
  createConversation: (options: { friendlyName: number }) => Promise<Confab.Conversation>
  messageAdded: (conversation: Confab.Conversation) => void
}
// @ts-expect-error a conversation is no user
expectType<Translated<Twilio.Client['getUser']>>(wrong.getUser)
// @ts-expect-error a name is no number
expectType<Translated<Twilio.Client['createConversation']>>(wrong.createConversation)
declare const client: Twilio.Client
// @ts-expect-error a listener of messages takes no conversation
expectType<Translated<Parameters<typeof client.on<'messageAdded'>>[1]>>(wrong.messageAdded)
// @ts-expect-error a promise that can't be cancelled
expectType<Translated<Twilio.Message['getContentData']>>(async () => null)
