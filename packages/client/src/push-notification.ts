import { ConfabError } from '@confab/core'
import type { Media } from './media.ts'

/** The kinds of push notifications, as they stand in the payloads that apps for Twilio's SDK know. */
// biome-ignore lint/complexity/noStaticOnlyClass: it is a class where apps know it from
export class NotificationTypes {
  static readonly TYPING_INDICATOR = 'twilio.ipmsg.typing_indicator'
  static readonly NEW_MESSAGE = 'twilio.conversations.new_message'
  static readonly ADDED_TO_CONVERSATION = 'twilio.conversations.added_to_conversation'
  static readonly REMOVED_FROM_CONVERSATION = 'twilio.conversations.removed_from_conversation'
  static readonly CONSUMPTION_UPDATE = 'twilio.channel.consumption_update'
}

export type PushNotificationType =
  | 'twilio.conversations.new_message'
  | 'twilio.conversations.added_to_conversation'
  | 'twilio.conversations.removed_from_conversation'

/** What a push notification is about. */
export interface PushNotificationData {
  conversationSid?: string
  conversationTitle?: string
  messageIndex?: number
  messageSid?: string
  media?: Media
  mediaCount?: number
}

/** The parts of a notification, as they were read from a payload. */
export interface PushNotificationDescriptor {
  title: string | null
  body: string | null
  sound: string | null
  badge: number | null
  action: string | null
  type: PushNotificationType
  data: Record<string, unknown>
}

/** A push notification that arrived by APNs or FCM. */
export class PushNotification {
  readonly title: string | null
  readonly body: string | null
  readonly sound: string | null
  /** How many conversations have unread messages; APNs only. */
  readonly badge: number | null
  /** The category (APNs) or the click action (FCM). */
  readonly action: string | null
  readonly type: PushNotificationType
  readonly data: PushNotificationData

  constructor(descriptor: PushNotificationDescriptor) {
    this.title = descriptor.title
    this.body = descriptor.body
    this.sound = descriptor.sound
    this.badge = descriptor.badge
    this.action = descriptor.action
    this.type = descriptor.type
    this.data = descriptor.data
  }
}

type Fields = { readonly [key: string]: unknown }

const KNOWN_TYPES: readonly unknown[] = [
  NotificationTypes.NEW_MESSAGE,
  NotificationTypes.ADDED_TO_CONVERSATION,
  NotificationTypes.REMOVED_FROM_CONVERSATION,
]

/** Names in a payload, and in what is read from it. */
const DATA_FIELDS = {
  conversation_sid: 'conversationSid',
  conversation_title: 'conversationTitle',
  message_index: 'messageIndex',
  message_sid: 'messageSid',
  media_count: 'mediaCount',
} as const

/**
 * Reads a payload as APNs (`aps` beside the fields) or FCM (the fields in `data`) deliver it.
 * @throws ConfabError 20001 when it is neither, or of an unknown type
 */
export function readPushNotification(payload: unknown): PushNotification {
  const whole = fieldsOf(payload) ?? {}
  const aps = fieldsOf(whole.aps)
  const fields = aps ? whole : (fieldsOf(whole.data) ?? whole)
  const type = fields.twi_message_type
  if (!KNOWN_TYPES.includes(type))
    throw new ConfabError(20001, 'This is no push notification of a conversation')
  const alert = fieldsOf(aps?.alert)
  return new PushNotification({
    title: aps ? text(alert?.title) : text(fields.twi_title),
    body: aps ? text(alert ? alert.body : aps.alert) : text(fields.twi_body),
    sound: text(aps ? aps.sound : fields.twi_sound),
    badge: typeof aps?.badge === 'number' ? aps.badge : null,
    action: text(aps ? aps.category : fields.twi_action),
    type: type as PushNotificationType,
    data: dataOf(fields),
  })
}

function dataOf(fields: Fields): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  for (const [name, key] of Object.entries(DATA_FIELDS)) {
    const value = fields[name]
    if (value === undefined || value === null || value === '') continue
    // FCM delivers every field as text
    data[key] = key === 'messageIndex' || key === 'mediaCount' ? Number(value) : String(value)
  }
  return data
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null ? (value as Fields) : undefined
