/**
 * Shapes that apps name in their types and never meet here: rich content comes from templates, which are a
 * service of Twilio's, and channel metadata and recipients from channels.
 */

export interface ContentDataActionUrl {
  readonly type: 'url'
  readonly title: string
  readonly url: string
  readonly rawData: string
}
export interface ContentDataActionPhone {
  readonly type: 'phone'
  readonly title: string
  readonly phone: string
  readonly rawData: string
}
export interface ContentDataActionReply {
  readonly type: 'reply'
  readonly title: string
  readonly id?: string
  readonly index: number
  readonly rawData: string
}
export interface ContentDataActionOther {
  readonly type: 'other'
  readonly rawData: string
}
export type ContentDataAction =
  | ContentDataActionUrl
  | ContentDataActionPhone
  | ContentDataActionReply
  | ContentDataActionOther

export interface ContentDataReply {
  readonly title: string
  readonly id?: string
}
export interface ContentDataListItem {
  readonly id: string
  readonly item: string
  readonly description?: string
}
export interface ContentDataText {
  readonly type: 'text'
  readonly body: string
  readonly rawData: string
}
export interface ContentDataMedia {
  readonly type: 'media'
  readonly body?: string
  readonly media: string[]
  readonly rawData: string
}
export interface ContentDataLocation {
  readonly type: 'location'
  readonly longitude: number
  readonly latitude: number
  readonly label?: string
  readonly rawData: string
}
export interface ContentDataQuickReply {
  readonly type: 'quickReply'
  readonly body: string
  readonly replies: ContentDataReply[]
  readonly rawData: string
}
export interface ContentDataCallToAction {
  readonly type: 'callToAction'
  readonly body: string
  readonly actions: ContentDataAction[]
  readonly rawData: string
}
export interface ContentDataListPicker {
  readonly type: 'listPicker'
  readonly body: string
  readonly button: string
  readonly items: ContentDataListItem[]
  readonly rawData: string
}
export interface ContentDataCard {
  readonly type: 'card'
  readonly title: string
  readonly subtitle?: string
  readonly media: string[]
  readonly actions: ContentDataAction[]
  readonly rawData: string
}
export interface ContentDataOther {
  readonly type: 'other'
  readonly rawData: string
}
export type ContentData =
  | ContentDataText
  | ContentDataMedia
  | ContentDataLocation
  | ContentDataQuickReply
  | ContentDataCallToAction
  | ContentDataListPicker
  | ContentDataCard
  | ContentDataOther

/** What a channel told of a message. */
export interface ChannelMetadata {
  readonly type: string
  readonly data: unknown
}

export type EmailRecipientLevel = 'to' | 'from' | 'cc'
export interface EmailRecipientDescriptor {
  readonly type: 'email'
  readonly messageSid: string
  readonly level: EmailRecipientLevel
  readonly name: string
  readonly address: string
}
export interface UnknownRecipientDescriptor {
  readonly type: string
  readonly messageSid: string
  /** JSON text. */
  readonly rawData: string
}
/** To whom a message went on a channel. */
export type RecipientDescriptor = EmailRecipientDescriptor | UnknownRecipientDescriptor
