import { ConfabError, type Json } from '@confab/core'
import { CancellablePromise } from './cancellable-promise.ts'
import { jsonOf, textOf } from './checks.ts'
import type { JSONValue, MediaCategory, SendEmailOptions, SendMediaOptions } from './types.ts'

/** A variable of a content template. */
export class ContentTemplateVariable {
  readonly name: string
  readonly value: string

  constructor(name: string, value: string) {
    this.name = name
    this.value = value
  }

  /** The same variable with another value. */
  copyWithValue(value: string): ContentTemplateVariable {
    return new ContentTemplateVariable(this.name, value)
  }
}

/** What is posted, checked. */
export interface OutgoingMessage {
  body?: string
  subject?: string
  attributes?: Json
}

/** One attachment, or several, as an app gives it. */
export type OutgoingContent = [MediaCategory, FormData | SendMediaOptions]

/**
 * Posts to a conversation; resolves to the message's index. `begun` is called before each step until it is written, and
 * throws when it was called off; `onCancel` takes what calls it off afterwards.
 */
export type Post = (
  outgoing: (depth: number) => OutgoingMessage,
  begun: () => void,
  content: OutgoingContent[],
  onCancel: (cancel: () => void) => void,
) => Promise<number | null>

/** A message that was prepared and not sent. */
export class UnsentMessage {
  text?: string
  attributes: JSONValue = {}
  mediaContent: OutgoingContent[] = []
  emailOptions: SendEmailOptions = {}
  contentSid?: string
  contentVariables?: ContentTemplateVariable[]
  readonly #post: Post

  /** @internal */
  constructor(post: Post) {
    this.#post = post
  }

  /**
   * Sends the message; resolves to its index. With no connection it waits on the device, and shows as pending.
   * `cancel()` keeps it from being sent until it is written; from then on it goes its way, but for one whose
   * attachments aren't at the relay yet: that is held.
   * @throws ConfabError 70101 when the text is too long, 70102 when the attributes are too large, 70104 when they
   * are no JSON, 20001 for what can't be attached and for a template, 70608 when an attachment is too large, 20403
   * without the permission, 50382 when the conversation is closed, 50430 when not a participant, 70501 when storage
   * fails or has no room
   */
  send(): CancellablePromise<number | null> {
    return new CancellablePromise((resolve, reject, onCancel) => {
      let cancelled = false
      let cancel = () => {}
      onCancel(() => {
        cancelled = true
        cancel()
      })
      const begin = () => {
        if (cancelled) throw new ConfabError(20001, 'Cancelled by the application')
      }
      const afterwards = (one: () => void) => {
        cancel = one
      }
      this.#post((depth) => this.#outgoing(depth), begin, [...this.mediaContent], afterwards).then(
        resolve,
        reject,
      )
    })
  }

  #outgoing(depth: number): OutgoingMessage {
    if (this.contentSid !== undefined) {
      throw new ConfabError(20001, 'There are no content templates here: set a body instead')
    }
    const { subject } = this.emailOptions
    const attributes = jsonOf(this.attributes, depth)
    return {
      ...(this.text === undefined ? {} : { body: textOf(this.text, 'A message body') }),
      ...(subject === undefined ? {} : { subject: textOf(subject, 'A subject') }),
      // `{}` is what absent attributes are read as
      ...(JSON.stringify(attributes) === '{}' ? {} : { attributes }),
    }
  }
}

/**
 * Prepares a message, part by part: `conversation.prepareMessage().setBody('Hello').build().send()`.
 */
export class MessageBuilder {
  readonly #message: UnsentMessage

  /** @internal */
  constructor(post: Post) {
    this.#message = new UnsentMessage(post)
  }

  setBody(text: string): MessageBuilder {
    this.#message.text = text
    return this
  }

  setSubject(subject: string): MessageBuilder {
    this.#message.emailOptions.subject = subject
    return this
  }

  setAttributes(attributes: JSONValue): MessageBuilder {
    this.#message.attributes = attributes
    return this
  }

  /** The body of an email, as an attachment of the category `body`. */
  setEmailBody(contentType: string, body: FormData | SendMediaOptions): MessageBuilder {
    return this.#attach('body', contentType, body)
  }

  /** The history of an email, as an attachment of the category `history`. */
  setEmailHistory(contentType: string, history: FormData | SendMediaOptions): MessageBuilder {
    return this.#attach('history', contentType, history)
  }

  /** Names a content template of Twilio's. Sending rejects (20001): there are none here. */
  setContentTemplate(contentSid: string, contentVariables: ContentTemplateVariable[] = []): MessageBuilder {
    this.#message.contentSid = contentSid
    this.#message.contentVariables = contentVariables
    return this
  }

  /** An attachment: a form with one file, or its content, type and name. */
  addMedia(payload: FormData | SendMediaOptions): MessageBuilder {
    this.#message.mediaContent.push(['media', payload])
    return this
  }

  /** The message, ready to be sent. */
  build(): UnsentMessage {
    return this.#message
  }

  /** Builds the message and sends it; see `UnsentMessage.send`. */
  buildAndSend(): CancellablePromise<number | null> {
    return this.build().send()
  }

  #attach(
    category: MediaCategory,
    contentType: string,
    content: FormData | SendMediaOptions,
  ): MessageBuilder {
    const typed = 'contentType' in content ? { ...content, contentType } : content
    this.#message.mediaContent.push([category, typed])
    return this
  }
}
