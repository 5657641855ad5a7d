/** Longer than two screens: every member of the public surface carries its documentation. */
import { isEmptyPatch, type Json } from '@confab/core'
import type { CancellablePromise } from './cancellable-promise.ts'
import { jsonOf, textOf } from './checks.ts'
import type { ChannelMetadata, ContentData, RecipientDescriptor } from './content.ts'
import type { Conversation } from './conversation.ts'
import {
  type AggregatedDeliveryReceipt,
  aggregated,
  type DetailedDeliveryReceipt,
  detailed,
} from './delivery-receipts.ts'
import { ReplayEventEmitter } from './emitter.ts'
import type { MessageView, OperationDraft } from './engine/engine.ts'
import { cancellable, contentUrls, Media } from './media.ts'
import type { Participant } from './participant.ts'
import { ShownAttributes } from './shown-attributes.ts'
import type { Surface } from './surface.ts'
import type {
  JSONValue,
  MediaCategory,
  MessageStatus,
  MessageType,
  MessageUpdatedEventArgs,
  UploadProgressEventArgs,
  UploadState,
} from './types.ts'

/** What a message shows: replaced as it changes. */
export interface MessageState {
  view: MessageView
}

const NO_ATTRIBUTES: Json = Object.freeze({})

export type MessageEvents = {
  updated: (data: MessageUpdatedEventArgs) => void
  uploadProgress: (data: UploadProgressEventArgs) => void
}

/**
 * A message as it stands, pending or accepted. The object follows what happens to it, except for its index: a
 * message whose index shifts is removed and added again as another object.
 */
export class Message extends ReplayEventEmitter<MessageEvents> {
  /** Something of the message changed. */
  static readonly updated = 'updated'
  /** Its attachments are further on their way to the relay, or wait. */
  static readonly uploadProgress = 'uploadProgress'

  /** The conversation that the message is in. */
  readonly conversation: Conversation
  readonly #surface: Surface
  readonly #state: MessageState
  readonly #attributes = new ShownAttributes()
  readonly #keep: (listened: boolean) => void

  /** @internal */
  constructor(
    surface: Surface,
    conversation: Conversation,
    state: MessageState,
    keep: (listened: boolean) => void,
  ) {
    super()
    this.#surface = surface
    this.conversation = conversation
    this.#state = state
    this.#keep = keep
  }

  /** `IM` and 32 hex digits; the same before and after acceptance. */
  get sid(): string {
    return this.#state.view.record.sid
  }

  /** Position in the conversation, from 0. Provisional while the message is pending. */
  get index(): number {
    return this.#state.view.record.index
  }

  /** `pending` until the relay has accepted the message. */
  get status(): MessageStatus {
    return this.#state.view.status
  }

  /** How far its attachments are, while they are on their way from this device; null otherwise. */
  get upload(): UploadState | null {
    return this.#surface.uploads.get(this.sid) ?? null
  }

  /** Identity or address of who wrote it. */
  get author(): string | null {
    return this.#state.view.record.author
  }

  /** Sid of the participant who wrote it; null when that wasn't one. */
  get participantSid(): string | null {
    return this.#state.view.record.participantSid ?? null
  }

  get body(): string | null {
    return this.#state.view.record.body ?? null
  }

  get subject(): string | null {
    return this.#state.view.record.subject ?? null
  }

  /** Always null: content templates are a service of Twilio's. */
  get contentSid(): string | null {
    return null
  }

  /** The app's own data; `{}` by default. */
  get attributes(): JSONValue {
    return this.#attributes.show(this.#state.view.record.attributes ?? NO_ATTRIBUTES)
  }

  /** When the relay accepted it; while pending, when it was written. Never null. */
  get dateCreated(): Date | null {
    return new Date(this.#state.view.record.dateCreated)
  }

  /** When its author wrote it, by the author's clock. */
  get dateWritten(): Date {
    const { dateWritten, dateCreated } = this.#state.view.record
    return new Date(dateWritten ?? dateCreated)
  }

  /** When it last changed; its creation when it never did. */
  get dateUpdated(): Date | null {
    const { dateUpdated, dateCreated } = this.#state.view.record
    return new Date(dateUpdated ?? dateCreated)
  }

  /** The relay had lost it with a restored backup, and somebody else than its author brought it again. */
  get restored(): boolean {
    return this.#state.view.record.restored === true
  }

  /** Identity of who last changed it; null when nobody did. */
  get lastUpdatedBy(): string | null {
    return this.#state.view.record.lastUpdatedBy ?? null
  }

  get type(): MessageType {
    return this.#media(['media']).length > 0 ? 'media' : 'text'
  }

  /** The first attachment. @deprecated Use `attachedMedia`. */
  get media(): Media | null {
    return this.#media(['media'])[0] ?? null
  }

  /** The attachments; `[]` when there are none. Never null, though Twilio's declaration says so. */
  get attachedMedia(): Media[] | null {
    return this.#media(['media'])
  }

  /** Where apps in JavaScript find the fields, past Twilio's declarations: `message.state.body`. @internal */
  get state(): this {
    return this
  }

  /** What `state` calls `dateCreated`. @internal */
  get timestamp(): Date | null {
    return this.dateCreated
  }

  /** How far the message came on its channels; null when it went to chat participants only. */
  get aggregatedDeliveryReceipt(): AggregatedDeliveryReceipt | null {
    const { receipts } = this.#state.view.record
    return receipts ? aggregated(receipts) : null
  }

  /** @deprecated Use `getMediaByCategories`. */
  getMediaByCategory(categories: MediaCategory[]): Media[] | null {
    return this.getMediaByCategories(categories)
  }

  /** The attachments of these categories. */
  getMediaByCategories(categories: MediaCategory[]): Media[] | null {
    return this.#media(categories)
  }

  /** The body of an email of this content type; null when there is none. */
  getEmailBody(type = 'text/plain'): Media | null {
    return this.#media(['body']).find((media) => media.contentType === type) ?? null
  }

  /** The history of an email of this content type; null when there is none. */
  getEmailHistory(type = 'text/plain'): Media | null {
    return this.#media(['history']).find((media) => media.contentType === type) ?? null
  }

  /**
   * Who wrote it.
   * @throws ConfabError 50432 when the author is not, or no longer, a participant
   */
  async getParticipant(): Promise<Participant> {
    const { participantSid, author } = this.#state.view.record
    return participantSid === undefined
      ? this.conversation.getParticipantByIdentity(author)
      : this.conversation.getParticipantBySid(participantSid)
  }

  /** How far the message came with each recipient on a channel. */
  async getDetailedDeliveryReceipts(): Promise<DetailedDeliveryReceipt[]> {
    const { record } = this.#state.view
    return (record.receipts ?? []).map((receipt) => detailed(this.conversation.sid, record, receipt))
  }

  /**
   * Removes the message for everybody. One that never left this device is withdrawn.
   * @throws ConfabError 20403 without the permission, 50430 when not a participant, 70501 when storage fails
   */
  async remove(): Promise<Message> {
    await this.#surface.working().removeMessage(this.conversation.sid, this.sid, this.index)
    return this
  }

  /**
   * Stops the upload of its attachments. The message is held with them then (`client.getHeldOperations()`): it can be
   * sent again, or discarded.
   * @returns whether it did: not once the attachments are at the relay
   * @throws ConfabError 70501 when storage fails, 70702 when this part of the package can't be loaded
   */
  async cancelUpload(): Promise<boolean> {
    return (await this.#surface.media()).uploader.cancel(this.sid)
  }

  /**
   * Tries at once to bring its attachments to the relay, where they wait for the next attempt (`upload.error`).
   * @returns whether there was something to try
   * @throws ConfabError 70501 when storage fails, 70702 when this part of the package can't be loaded
   */
  async retryUpload(): Promise<boolean> {
    return (await this.#surface.media()).uploader.retry(this.sid)
  }

  /**
   * Changes the text.
   * @throws ConfabError 70101 when too long, 20403 without the permission, 20404 when the message is gone, 50430
   * when not a participant, 70501 when storage fails
   */
  async updateBody(body: string): Promise<Message> {
    const text = textOf(body, 'A message body')
    return this.#update({ type: 'message.edit', sid: this.sid, body: text })
  }

  /**
   * Sends what `attributes` changes in those that were shown; changes that others make to the rest are kept.
   * @throws ConfabError 70102 when too large, 70104 when no JSON, 20403 without the permission, 20404 when the
   * message is gone, 50430 when not a participant, 70501 when storage fails
   */
  async updateAttributes(attributes: JSONValue): Promise<Message> {
    const current = this.#state.view.record.attributes ?? NO_ATTRIBUTES
    const next = jsonOf(attributes, this.#surface.working().limits.jsonDepth)
    const patch = this.#attributes.patchTo(next, current)
    if (isEmptyPatch(patch)) return this
    this.#attributes.forgetCopy()
    await this.#update({ type: 'message.edit', sid: this.sid, attributes: patch })
    this.#attributes.set(next)
    return this
  }

  /** @deprecated Returns its argument: addresses are asked for one by one. */
  async attachTemporaryUrlsFor(contentSet: Media[] | null): Promise<Media[]> {
    return contentSet ?? []
  }

  /**
   * Where each attachment can be fetched, by its sid.
   * @throws ConfabError 20404 when one can't be
   */
  getTemporaryContentUrlsForMedia(contentSet: Media[]): CancellablePromise<Map<string, string>> {
    return this.getTemporaryContentUrlsForMediaSids(contentSet.map((media) => media.sid))
  }

  /**
   * Where each attachment can be fetched, by its sid.
   * @throws ConfabError 20404 when one can't be
   */
  getTemporaryContentUrlsForMediaSids(mediaSids: string[]): CancellablePromise<Map<string, string>> {
    return contentUrls(() => this.#surface, mediaSids)
  }

  /**
   * Where each attachment of this message can be fetched, by its sid.
   * @throws ConfabError 20404 when one can't be
   */
  getTemporaryContentUrlsForAttachedMedia(): CancellablePromise<Map<string, string>> {
    return this.getTemporaryContentUrlsForMedia(this.#media(['media']))
  }

  /** Always null: content templates are a service of Twilio's. */
  getContentData(): CancellablePromise<ContentData | null> {
    return cancellable<ContentData | null>(async () => null)
  }

  /** What the channel that it came by told of it; null for a chat message. */
  async getChannelMetadata(): Promise<ChannelMetadata | null> {
    return null
  }

  /** To whom it went by email: nobody. */
  async getMessageRecipients(): Promise<RecipientDescriptor[]> {
    return []
  }

  /** @internal */
  protected override listenedTo(listened: boolean): void {
    this.#keep(listened)
  }

  #media(categories: MediaCategory[]): Media[] {
    const { record, status } = this.#state.view
    const of = {
      surface: this.#surface,
      conversation: this.conversation.sid,
      message: record.sid,
      index: status === 'accepted' ? record.index : null,
    }
    return (record.media ?? [])
      .filter(({ category }) => categories.includes(category))
      .map((one) => new Media(one, of))
  }

  async #update(draft: OperationDraft): Promise<Message> {
    const engine = this.#surface.working()
    const { index } = this
    await engine.submit(this.conversation.sid, [draft], { index })
    // its event comes later, and the app may look before that
    const now = await engine.message(this.conversation.sid, this.sid, index)
    if (now?.record.index === this.index) this.#state.view = now
    return this
  }
}
