/**
 * Shapes that apps name in their types and never meet here: rich content comes from templates, which are a
 * service of Twilio's, and channel metadata and recipients from channels.
 */
import type { ContentTemplateVariable } from './message-builder.ts'

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

/** A template of rich content. Confab's relay keeps none, so an app meets no object of this class. */
export class ContentTemplate {
  readonly sid: string
  readonly friendlyName: string
  readonly variables: ContentTemplateVariable[]
  /** What a message made of it says, by kind. */
  readonly variants: Map<string, ContentData>
  readonly dateCreated: Date
  readonly dateUpdated: Date

  /** @internal */
  constructor(template: ContentTemplate) {
    this.sid = template.sid
    this.friendlyName = template.friendlyName
    this.variables = template.variables
    this.variants = template.variants
    this.dateCreated = template.dateCreated
    this.dateUpdated = template.dateUpdated
  }
}

/** What a channel told of a message. */
export class ChannelMetadata {
  readonly type: string
  readonly data: unknown

  constructor(type: string, data: unknown) {
    this.type = type
    this.data = data
  }
}

export type EmailRecipientLevel = 'to' | 'from' | 'cc'

/** To whom a message went by email. */
export class EmailRecipientDescriptor {
  readonly type = 'email'
  readonly messageSid: string
  readonly level: EmailRecipientLevel
  readonly name: string
  readonly address: string

  /** @internal */
  constructor(recipient: Omit<EmailRecipientDescriptor, 'type'>) {
    this.messageSid = recipient.messageSid
    this.level = recipient.level
    this.name = recipient.name
    this.address = recipient.address
  }
}

/** To whom a message went on a channel that this version doesn't know. */
export class UnknownRecipientDescriptor {
  readonly type: string
  readonly messageSid: string
  /** JSON text. */
  readonly rawData: string

  /** @internal */
  constructor(recipient: UnknownRecipientDescriptor) {
    this.type = recipient.type
    this.messageSid = recipient.messageSid
    this.rawData = recipient.rawData
  }
}

/** To whom a message went on a channel. */
export type RecipientDescriptor = EmailRecipientDescriptor | UnknownRecipientDescriptor
