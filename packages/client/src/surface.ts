/** The objects that an app holds, one per thing, and what they share. Internal: apps see only the classes. */
import { ConfabError } from '@confab/core'
import type { Client } from './client.ts'
import type { ClientOptions } from './client-options.ts'
import { Conversation } from './conversation.ts'
import type { ConversationView, Engine } from './engine/engine.ts'
import { LiveMessages } from './live-messages.ts'
import { LiveParticipants } from './live-participants.ts'
import type { MediaDesk } from './media/media.ts'
import { part } from './part.ts'
import type { UploadState } from './types.ts'

/** Twilio's bound. */
const ATTACHMENT_BYTES = 150 * 2 ** 20

/** A conversation's object and those of what is in it. */
export class LiveConversation {
  /** The last that was seen; still shown after the conversation is gone. */
  view: ConversationView
  readonly conversation: Conversation
  readonly messages: LiveMessages
  readonly participants: LiveParticipants

  constructor(surface: Surface, view: ConversationView) {
    this.view = view
    this.conversation = new Conversation(surface, this)
    this.messages = new LiveMessages(surface, this.conversation)
    this.participants = new LiveParticipants(surface, this.conversation)
  }
}

export class Surface {
  readonly client: Client
  readonly engine: Engine
  readonly now: () => number
  /** Where the relay answers HTTP, with no slash at the end. */
  readonly httpUrl: string
  /** How far the attachments of posts of this device are, by message. */
  readonly uploads = new Map<string, UploadState>()
  #closed = false
  #media: Promise<MediaDesk> | null = null
  readonly #mediaBudget: number | undefined
  /** Bytes that an attachment may have. */
  readonly attachmentBytes: number
  readonly #closing: (() => Promise<void>)[] = []
  readonly #conversations = new Map<string, LiveConversation>()

  constructor(
    client: Client,
    engine: Engine,
    now: () => number,
    url: string,
    media: ClientOptions['media'] = {},
  ) {
    this.#mediaBudget = media.bytes
    this.attachmentBytes = media.attachmentBytes ?? ATTACHMENT_BYTES
    this.client = client
    this.engine = engine
    this.now = now
    this.httpUrl = url.replace(/^ws/, 'http').replace(/\/+$/, '')
  }

  /** The engine, to do something with it. Throws 70701 after `shutdown`. */
  working(): Engine {
    if (this.#closed) throw new ConfabError(70701)
    return this.engine
  }

  /**
   * Attachments, which are loaded when they are needed.
   * @throws ConfabError 70501 when storage fails, 70702 when this part of the package can't be loaded
   */
  media(): Promise<MediaDesk> {
    this.working()
    this.#media ??= part(import('./media/media.ts')).then(({ openDesk }) =>
      openDesk(this, () => part(import('./media/tus.ts')), this.#mediaBudget),
    )
    this.#media.catch(() => {
      this.#media = null
    })
    return this.#media
  }

  /** Before the engine stops. */
  onClose(task: () => Promise<void>): void {
    this.#closing.push(task)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const task of this.#closing) await task()
  }

  /** The objects of the conversation that this view shows. */
  show(view: ConversationView): LiveConversation {
    const known = this.#conversations.get(view.sid)
    if (known) {
      known.view = view
      return known
    }
    const live = new LiveConversation(this, view)
    this.#conversations.set(view.sid, live)
    return live
  }

  /** The objects of a conversation that is known here. */
  find(conversationSid: string): LiveConversation | undefined {
    const view = this.engine.conversation(conversationSid)
    return view ? this.show(view) : this.#conversations.get(conversationSid)
  }

  /** The conversation is gone: should it come back, it has other objects. */
  forget(conversationSid: string): void {
    this.#conversations.delete(conversationSid)
  }
}
