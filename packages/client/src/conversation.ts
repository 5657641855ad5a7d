/** Longer than two screens: every member of the public surface carries its documentation. */
import { ConfabError, isEmptyPatch, type Json, messageSidOf, participantSid } from '@confab/core'
import type { CancellablePromise } from './cancellable-promise.ts'
import { anchorOf, indexOf, jsonOf, nameOf, pageSizeOf, textOf } from './checks.ts'
import type { RecipientDescriptor } from './content.ts'
import { ReplayEventEmitter } from './emitter.ts'
import type { ConversationView, OperationDraft } from './engine/engine.ts'
import { createInvite } from './invites.ts'
import { cancellable } from './media.ts'
import type { Message } from './message.ts'
import {
  MessageBuilder,
  type OutgoingContent,
  type OutgoingMessage,
  UnsentMessage,
} from './message-builder.ts'
import { messagePage } from './message-pages.ts'
import type { Paginator } from './paginator.ts'
import { Page } from './paginator.ts'
import { part } from './part.ts'
import { Participant } from './participant.ts'
import { participantResponse } from './participant-response.ts'
import { ShownAttributes } from './shown-attributes.ts'
import type { LiveConversation, Surface } from './surface.ts'
import type {
  ConversationBindings,
  ConversationExport,
  ConversationLimits,
  ConversationState,
  ConversationStatus,
  ConversationTimers,
  ConversationUpdatedEventArgs,
  InviteOptions,
  JSONValue,
  LastMessage,
  MediaDownload,
  MessageUpdatedEventArgs,
  NotificationLevel,
  ParticipantBindingOptions,
  ParticipantResponse,
  ParticipantUpdatedEventArgs,
  SendEmailOptions,
  SendMediaOptions,
  UploadProgressEventArgs,
} from './types.ts'

const NO_ATTRIBUTES: Json = Object.freeze({})

/** Between two signs of typing, milliseconds (Twilio's). */
const TYPING_PERIOD = 5000

const EMAIL_LIMITS = {
  emailHistoriesAllowedContentTypes: ['text/plain', 'text/html'],
  emailBodiesAllowedContentTypes: ['text/plain', 'text/html'],
}

export type ConversationEvents = {
  participantJoined: (participant: Participant) => void
  participantLeft: (participant: Participant) => void
  participantUpdated: (data: ParticipantUpdatedEventArgs) => void
  messageAdded: (message: Message) => void
  messageRemoved: (message: Message) => void
  messageUpdated: (data: MessageUpdatedEventArgs) => void
  uploadProgress: (data: UploadProgressEventArgs) => void
  typingEnded: (participant: Participant) => void
  typingStarted: (participant: Participant) => void
  updated: (data: ConversationUpdatedEventArgs) => void
  removed: (conversation: Conversation) => void
}

/**
 * A conversation as it stands on this device, with what is still pending. Everything here works with no network:
 * a change is durable on the device when its promise resolves. While connected, the promise waits for the relay's
 * verdict, for 2 seconds at most; a refusal within that time rejects it, a later one is the client's event
 * `operationRefused`. Either way what was written is held (`client.getHeldOperations()`).
 *
 * After `client.shutdown()` every method rejects with `ConfabError` 70701. Changes reject with 70501 when the
 * device can't store them.
 */
export class Conversation extends ReplayEventEmitter<ConversationEvents> {
  static readonly participantJoined = 'participantJoined'
  static readonly participantLeft = 'participantLeft'
  static readonly participantUpdated = 'participantUpdated'
  static readonly messageAdded = 'messageAdded'
  /** The message shows its old index. */
  static readonly messageRemoved = 'messageRemoved'
  static readonly messageUpdated = 'messageUpdated'
  /** Attachments of a message of this person's are further on their way to the relay, or wait. */
  static readonly uploadProgress = 'uploadProgress'
  static readonly typingEnded = 'typingEnded'
  static readonly typingStarted = 'typingStarted'
  static readonly updated = 'updated'
  /** The conversation was deleted, or this identity no longer takes part. */
  static readonly removed = 'removed'

  /** `CH` and 32 hex digits. */
  readonly sid: string
  readonly #surface: Surface
  readonly #live: LiveConversation
  readonly #attributes = new ShownAttributes()
  /** The newest message as it was last shown: the same object while it is the same message. */
  #last: LastMessage | undefined
  /** When the last sign of typing was sent. */
  #typed = Number.NEGATIVE_INFINITY

  /** @internal */
  constructor(surface: Surface, live: LiveConversation) {
    super()
    this.#surface = surface
    this.#live = live
    this.sid = live.view.sid
  }

  get friendlyName(): string | null {
    return this.#view.record.friendlyName ?? null
  }

  get uniqueName(): string | null {
    return this.#view.record.uniqueName ?? null
  }

  /** The app's own data; `{}` by default. */
  get attributes(): JSONValue {
    return this.#attributes.show(this.#view.record.attributes ?? NO_ATTRIBUTES)
  }

  /** `joined` while this identity takes part. */
  get status(): ConversationStatus {
    return this.#surface.engine.conversation(this.sid)?.status ?? 'notParticipating'
  }

  /** Identity of who created it. */
  get createdBy(): string {
    return this.#view.record.createdBy
  }

  get dateCreated(): Date | null {
    return new Date(this.#view.record.dateCreated)
  }

  /** When it last changed; its creation when it never did. */
  get dateUpdated(): Date | null {
    const { dateUpdated, dateCreated } = this.#view.record
    return new Date(dateUpdated ?? dateCreated)
  }

  get state(): ConversationState | undefined {
    const { state, dateCreated } = this.#view.record
    return { current: state?.current ?? 'active', dateUpdated: new Date(state?.dateUpdated ?? dateCreated) }
  }

  /** After how long without a message it becomes inactive, and is closed: ISO-8601 durations, as they were set. */
  get timers(): ConversationTimers {
    return { ...this.#view.record.timers }
  }

  /** The newest message, pending ones included; undefined when there is none. */
  get lastMessage(): LastMessage | undefined {
    const { lastMessage } = this.#view
    if (!lastMessage) return undefined
    const { index, dateCreated } = lastMessage
    if (this.#last?.index !== index || this.#last.dateCreated?.getTime() !== dateCreated) {
      this.#last = { index, dateCreated: new Date(dateCreated) }
    }
    return this.#last
  }

  /** Where apps in JavaScript find the fields, past Twilio's declarations. @internal */
  get _internalState(): this {
    return this
  }

  /** This person's read horizon: the index of the newest message read; null when none was. */
  get lastReadMessageIndex(): number | null {
    return this.#view.read?.lastReadMessageIndex ?? null
  }

  /** How much this person wants to be notified of it. */
  get notificationLevel(): NotificationLevel {
    return this.#surface.engine.notificationLevel(this.sid)
  }

  /** Addresses of the conversation itself: none. */
  get bindings(): ConversationBindings {
    return {}
  }

  /** What one message may carry. */
  get limits(): ConversationLimits {
    const { attachmentBytes, engine } = this.#surface
    const count = engine.limits.mediaPerMessage
    return {
      ...EMAIL_LIMITS,
      mediaAttachmentsCountLimit: count,
      mediaAttachmentSizeLimitInMb: attachmentBytes / 2 ** 20,
      mediaAttachmentsTotalSizeLimitInMb: (count * attachmentBytes) / 2 ** 20,
    }
  }

  /** The same as `attributes`. */
  async getAttributes(): Promise<JSONValue> {
    return this.attributes
  }

  /**
   * Adds a person.
   * @throws ConfabError 50433 when already a participant, 20001 for a malformed identity, 70102 and 70104 for the
   * attributes, 50417 when there are too many, 20403 without the permission
   */
  async add(identity: string, attributes?: JSONValue): Promise<ParticipantResponse> {
    const name = nameOf(identity, 'An identity').normalize('NFC')
    await this.#submit({ type: 'participant.add', identity: name, ...this.#given(attributes) })
    return this.#added(participantSid(this.sid, { identity: name }))
  }

  /**
   * Adds somebody by an address on a channel, whose type its prefix tells. `bindingOptions` is about email and is
   * not used yet.
   * @param proxyAddress the service's address that speaks to it
   * @throws ConfabError 50407, 50408, 50409 and 50414 for the addresses, 50416 and 50425 when the pair is in use,
   * 50418 when there are too many, 70102 and 70104 for the attributes, 20403 without the permission
   */
  async addNonChatParticipant(
    proxyAddress: string,
    address: string,
    attributes?: JSONValue,
    _bindingOptions?: ParticipantBindingOptions,
  ): Promise<ParticipantResponse> {
    const binding = {
      address: nameOf(address, 'An address'),
      proxyAddress: nameOf(proxyAddress, 'A proxy address'),
    }
    await this.#submit({ type: 'participant.add', binding, ...this.#given(attributes) })
    return this.#added(participantSid(this.sid, binding))
  }

  /**
   * Removes a participant, given as an object, an identity or a sid.
   * @throws ConfabError 50432 when there is no such participant, 20403 without the permission
   */
  async removeParticipant(participant: string | Participant): Promise<void> {
    await this.#submit({ type: 'participant.remove', sid: await this.#sidOf(participant) })
  }

  /** Everybody who takes part, pending ones included. */
  async getParticipants(): Promise<Participant[]> {
    const engine = this.#surface.working()
    // who is yet to be told of would be listed twice by an app that adds those who join to its list
    await engine.caughtUp()
    const views = await engine.participants(this.sid)
    return views.map((view) => this.#live.participants.show(view))
  }

  async getParticipantsCount(): Promise<number> {
    return (await this.#surface.working().participants(this.sid)).length
  }

  /** @throws ConfabError 50432 when there is none with this sid */
  async getParticipantBySid(participantSid: string): Promise<Participant> {
    const found = (await this.getParticipants()).find((one) => one.sid === participantSid)
    if (!found) throw new ConfabError(50432, `There is no participant ${participantSid}`)
    return found
  }

  /** @throws ConfabError 50432 when there is none with this identity */
  async getParticipantByIdentity(identity?: string | null): Promise<Participant> {
    const name = identity?.normalize('NFC')
    const found = (await this.getParticipants()).find((one) => one.identity !== null && one.identity === name)
    if (!found) throw new ConfabError(50432, `There is no participant with the identity ${identity}`)
    return found
  }

  /**
   * Messages, ascending by index. `prevPage` is older and `nextPage` newer, in either direction.
   * @param pageSize from 1; at most 100 are given
   * @param anchor index at which the page begins, included; the newest message (backwards) or the oldest (forward)
   * when left out
   * @throws ConfabError 20001 for a malformed page size or anchor
   */
  async getMessages(
    pageSize?: number,
    anchor?: number,
    direction: 'backwards' | 'forward' = 'backwards',
  ): Promise<Paginator<Message>> {
    if (direction !== 'backwards' && direction !== 'forward') {
      throw new ConfabError(20001, 'A direction is "backwards" or "forward"')
    }
    return messagePage(this.#surface, this.#live, {
      count: pageSizeOf(pageSize),
      anchor: anchorOf(anchor),
      direction,
    })
  }

  /** How many messages there are, pending ones included and removed ones not. */
  async getMessagesCount(): Promise<number> {
    this.#surface.working()
    return this.#view.messageCount
  }

  /**
   * How many messages are above the read horizon, one's own included; null without a horizon.
   * @throws ConfabError 50430 when not a participant
   */
  async getUnreadMessagesCount(): Promise<number | null> {
    this.#surface.working()
    this.#requireParticipant()
    return this.#view.unreadCount
  }

  /**
   * Begins to take part. Does nothing when one does.
   * @throws ConfabError 70201 when the relay doesn't let this identity in
   */
  async join(): Promise<Conversation> {
    if (this.status !== 'joined') await this.#submit({ type: 'conversation.join' })
    return this
  }

  /**
   * Ceases to take part; what is pending here is held. Does nothing unless joined.
   * @throws ConfabError 20403 without the permission
   */
  async leave(): Promise<Conversation> {
    if (this.status === 'joined') await this.#submit({ type: 'conversation.leave' })
    return this
  }

  /**
   * Closes the conversation: it can be read, and takes no more messages. Does nothing when it is closed.
   * @throws ConfabError 20403 without the permission
   */
  async close(): Promise<Conversation> {
    if (this.state?.current !== 'closed') await this.#submit({ type: 'conversation.close' })
    return this
  }

  /**
   * Deletes the conversation for everybody.
   * @throws ConfabError 20403 without the permission
   */
  async delete(): Promise<Conversation> {
    await this.#submit({ type: 'conversation.delete' })
    return this
  }

  /**
   * Posts a message; resolves to its index, which is provisional while the message is pending.
   * An attachment is on this device's disk by then, and the others see the message once all of it is at the relay.
   * @param message the text, or an attachment; null for a message of attributes alone
   * @throws ConfabError 70101 when the text is too long, 70102 when the attributes are too large, 70104 when they
   * are no JSON, 20001 for what can't be attached, 70608 when it is too large, 70501 when there is no room for it,
   * 20403 without the permission, 50382 when the conversation is closed, 50430 when not a participant
   */
  async sendMessage(
    message: null | string | FormData | SendMediaOptions,
    messageAttributes?: JSONValue,
    emailOptions?: SendEmailOptions,
  ): Promise<number> {
    const unsent = new UnsentMessage((...outgoing) => this.#post(...outgoing))
    if (typeof message === 'string') unsent.text = message
    else if (typeof message === 'object' && message !== null) unsent.mediaContent.push(['media', message])
    else if (message !== null) textOf(message, 'A message')
    if (messageAttributes !== undefined) unsent.attributes = messageAttributes
    if (emailOptions) unsent.emailOptions = emailOptions
    // null only for a message that was removed at once: the last index is as near as one comes
    return (await unsent.send()) ?? this.#view.lastMessage?.index ?? 0
  }

  /** Prepares a message, part by part. */
  prepareMessage(): MessageBuilder {
    return new MessageBuilder((...outgoing) => this.#post(...outgoing))
  }

  /** Tells the others that this person is typing, every 5 seconds at most. */
  async typing(): Promise<void> {
    const engine = this.#surface.working()
    const now = this.#surface.now()
    const since = now - this.#typed
    // before the last one: the clock was set back
    if (since >= 0 && since < TYPING_PERIOD) return
    this.#typed = now
    engine.typing(this.sid)
  }

  /**
   * Moves the read horizon forward, never back; resolves to the unread count. Doesn't wait for the relay.
   * @throws ConfabError 50430 when not a participant, 20001 for a malformed index
   */
  async advanceLastReadMessageIndex(index: number): Promise<number> {
    this.#requireParticipant()
    return this.#moveHorizon({ type: 'read.advance', index: indexOf(index) })
  }

  /**
   * Puts the read horizon at a message, or takes it away (null); resolves to the unread count. Doesn't wait for
   * the relay.
   * @throws ConfabError 50430 when not a participant, 20001 for a malformed index
   */
  async updateLastReadMessageIndex(index: number | null): Promise<number> {
    this.#requireParticipant()
    return this.#moveHorizon({ type: 'read.set', index: index === null ? null : indexOf(index) })
  }

  /**
   * Moves the read horizon to the newest message that the relay has accepted; resolves to the unread count. Sets
   * nothing when there is none.
   * @throws ConfabError 50430 when not a participant
   */
  async setAllMessagesRead(): Promise<number> {
    this.#requireParticipant()
    const { lastMessage } = this.#view
    return lastMessage ? this.advanceLastReadMessageIndex(lastMessage.index) : 0
  }

  /**
   * Takes the read horizon away; resolves to the unread count, which is all messages.
   * @throws ConfabError 50430 when not a participant
   */
  async setAllMessagesUnread(): Promise<number> {
    return this.updateLastReadMessageIndex(null)
  }

  /**
   * Sends what `attributes` changes in those that were shown; changes that others make to the rest are kept.
   * @throws ConfabError 70102 when too large, 70104 when no JSON, 20403 without the permission, 50430 when not a
   * participant
   */
  async updateAttributes(attributes: JSONValue): Promise<Conversation> {
    const next = jsonOf(attributes, this.#surface.working().limits.jsonDepth)
    const patch = this.#attributes.patchTo(next, this.#view.record.attributes ?? NO_ATTRIBUTES)
    if (isEmptyPatch(patch)) return this
    this.#attributes.forgetCopy()
    await this.#submit({ type: 'conversation.update', attributes: patch })
    this.#attributes.set(next)
    return this
  }

  /**
   * @param friendlyName at most 256 characters; `null` takes it away
   * @throws ConfabError 70103 when too long, 20403 without the permission, 50430 when not a participant
   */
  async updateFriendlyName(friendlyName: string | null): Promise<Conversation> {
    const name = friendlyName === null ? null : textOf(friendlyName, 'A friendly name')
    if (name !== this.friendlyName) await this.#submit({ type: 'conversation.update', friendlyName: name })
    return this
  }

  /**
   * @param uniqueName at most 256 characters, one of its kind in the service; `null` or `''` takes it away
   * @throws ConfabError 50353 when taken, 70103 when too long, 20403 without the permission, 50430 when not a
   * participant
   */
  async updateUniqueName(uniqueName: string | null): Promise<Conversation> {
    const name = uniqueName === null || uniqueName === '' ? null : textOf(uniqueName, 'A unique name')
    if (name !== this.uniqueName) await this.#submit({ type: 'conversation.update', uniqueName: name })
    return this
  }

  /**
   * Sets how much this person wants to be notified of the conversation, on all of their devices.
   * @throws ConfabError 20001 when it is no level, 50430 when not a participant, 50422 when too many conversations
   * have a level of their own
   */
  async setUserNotificationLevel(notificationLevel: NotificationLevel): Promise<void> {
    const engine = this.#surface.working()
    this.#requireParticipant()
    await engine.submitForUser([{ type: 'setting.set', conversationSid: this.sid, notificationLevel }])
  }

  /**
   * The conversation as a file, of what is on this device: `jsonl` is what `confab import` takes, `markdown` and `html`
   * are for people. What isn't accepted yet is not in it, and `unseen` names what isn't here. With `files`, its attachments
   * that are on this device come beside it.
   * @throws ConfabError 20001 for another format, 20404 when it is gone, 70501 when storage fails, 70702 when this
   * part of the package can't be loaded
   */
  async export({
    format = 'jsonl',
    files = false,
  }: {
    format?: 'jsonl' | 'markdown' | 'html'
    files?: boolean
  } = {}): Promise<ConversationExport> {
    if (!['jsonl', 'markdown', 'html'].includes(format))
      throw new ConfabError(20001, 'A format is "jsonl", "markdown" or "html"')
    this.#surface.working()
    const { exportOf } = await part(import('./tools/tools.ts'))
    const exported = await exportOf(this.#surface, this.sid, format, files)
    if (!exported) throw new ConfabError(20404)
    return exported
  }

  /**
   * Keeps the conversation's whole history on this device, or no longer, whatever `ClientOptions.history` says. What
   * is missing is fetched in the background while there is a connection.
   * @throws ConfabError 70501 when storage fails
   */
  async pinHistory(pinned = true): Promise<void> {
    await this.#surface.working().pinHistory(this.sid, pinned)
  }

  /**
   * Fetches all attachments of the conversation that aren't on this device, for when there is no network. They stay as
   * long as the room for attachments goes (`ClientOptions.media`), and whatever it is while `pinHistory()` says so.
   * `cancel()` stops it; what came stays.
   * @throws ConfabError 20404 when the conversation is gone, 70702 when this part of the package can't be loaded
   */
  downloadMedia(onProgress: (progress: MediaDownload) => void = () => {}): CancellablePromise<MediaDownload> {
    return cancellable(async (signal) => {
      const { library } = await this.#surface.media()
      const { fetchAll } = await import('./media/media.ts')
      return fetchAll(this.#surface, library, this.sid, onProgress, signal)
    })
  }

  /** To whom its messages went by email: nobody. */
  async getMessageRecipients(_options?: { pageSize?: number }): Promise<Paginator<RecipientDescriptor>> {
    return new Page<RecipientDescriptor>({ items: [], next: null, prev: null })
  }

  /**
   * Makes an invite: a string that fits a link or a QR code. Whoever has it may join (`client.joinByInvite`), with
   * no network on either side; the relay checks when they meet.
   * @throws ConfabError 20001 for malformed options, 50434 for a role that this person may not give, 20403 without
   * the permission to add participants, 50430 when not a participant
   */
  async createInvite(options: InviteOptions = {}): Promise<string> {
    return createInvite(this.#surface.working(), this.sid, options)
  }

  get #view(): ConversationView {
    return this.#surface.engine.conversation(this.sid) ?? this.#live.view
  }

  #requireParticipant(): void {
    if (this.status !== 'joined') throw new ConfabError(50430)
  }

  async #moveHorizon(draft: OperationDraft): Promise<number> {
    await this.#surface.working().submit(this.sid, [draft], { wait: 'durable' })
    return this.#view.unreadCount ?? this.#view.messageCount
  }

  async #submit(draft: OperationDraft) {
    return this.#surface.working().submit(this.sid, [draft])
  }

  #given(attributes: JSONValue | undefined): { attributes?: Json } {
    if (attributes === undefined) return {}
    return { attributes: jsonOf(attributes, this.#surface.working().limits.jsonDepth) }
  }

  async #added(sid: string): Promise<ParticipantResponse> {
    const { engine, httpUrl } = this.#surface
    const view = (await engine.participants(this.sid)).find(({ record }) => record.sid === sid)
    if (!view) throw new ConfabError(50432, 'The participant was removed again')
    return participantResponse(view.record, this.sid, engine.owner, httpUrl)
  }

  async #sidOf(participant: string | Participant): Promise<string> {
    if (participant instanceof Participant) return participant.sid
    const name = nameOf(participant, 'A participant')
    const all = await this.getParticipants()
    const found =
      all.find((one) => one.identity === name.normalize('NFC')) ?? all.find((one) => one.sid === name)
    if (!found) throw new ConfabError(50432, `There is no participant ${name}`)
    return found.sid
  }

  async #post(
    outgoing: (depth: number) => OutgoingMessage,
    begun: () => void,
    content: OutgoingContent[],
    onCancel: (cancel: () => void) => void,
  ): Promise<number | null> {
    const engine = this.#surface.working()
    const message = outgoing(engine.limits.jsonDepth)
    // the app's own task comes first, so that it can still call the whole off
    await Promise.resolve()
    begun()
    const desk = content.length > 0 ? await this.#surface.media() : null
    const { attachmentBytes: bytes } = this.#surface
    const count = engine.limits.mediaPerMessage
    const attached = await desk?.library.attach(this.sid, content, { count, bytes }, begun)
    const [first] = attached?.records ?? []
    if (first) onCancel(() => void desk?.uploader.cancelOf(first.sid))
    let sid: string | null = null
    try {
      const media = attached && { media: attached.records }
      const [operation] = await engine.submit(this.sid, [{ type: 'message.post', ...message, ...media }])
      if (!operation) return null
      sid = messageSidOf(operation.id)
      return (await engine.message(this.sid, sid))?.record.index ?? null
    } finally {
      await attached?.done(sid)
    }
  }
}
