/** One request, as a route sees it: who asks, about which service, and what the relay can do for it. */
import { randomBytes } from 'node:crypto'
import {
  ConfabError,
  errorFromBody,
  isSid,
  type Limits,
  type MessageRecord,
  type Operation,
  type Outcome,
  parseOperation,
  type SidPrefix,
  uuidV7,
} from '@confab/core'
import type { Accounts } from '../accounts/accounts.ts'
import type { Engine, TakingIn } from '../engine.ts'
import type { OpenMedia } from '../media/open-media.ts'
import type { ServiceBook } from '../services/service-book.ts'
import type { Services } from '../services/services.ts'
import { type ConversationSnapshot, readConversation } from '../store/read-conversation.ts'
import type { Store } from '../store/store.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'

/** What routes work with. */
export interface RestRelay {
  store: Store
  engine: Pick<Engine, 'submit' | 'readMessages' | 'isOnline' | 'reachabilityChanged'> & TakingIn
  book: ServiceBook
  services: Services
  accounts: Accounts
  webhooks: Pick<Webhooks, 'book' | 'settings' | 'retry' | 'replay' | 'forget'>
  /** Null: the relay takes no attachments. */
  media: Pick<OpenMedia, 'media' | 'pathOf'> | null
  limits: Limits
  now(): number
}

/** An operation without what a call adds. */
export type Draft = Operation extends infer One
  ? One extends Operation
    ? Omit<One, 'id' | 'dateWritten'> & { id?: string }
    : never
  : never

/** A conversation by its sid, its key in the store and the highest index that it ever gave. */
export interface Place {
  sid: string
  key: number
  highestIndex: number
}

export interface CallOptions {
  relay: RestRelay
  accountSid: string
  serviceSid: string
  /** `https://relay.example.org` */
  origin: string
  /** `https://relay.example.org/v1`, or the same and `/Services/{ChatServiceSid}`. */
  base: string
  /** The address of the request, without its query. */
  url: string
  query: URLSearchParams
  path: { readonly [name: string]: string }
  /** What `X-Twilio-Webhook-Enabled` says. */
  isWebhookEnabled: boolean
  /** The body, for a route that takes content. */
  content: Content | null
}

/** Content as it comes. */
export interface Content {
  /** What is said of it, if anything. */
  type: string | undefined
  /** Bytes, if that is said ahead. */
  length: number | null
  pieces: AsyncIterable<Uint8Array>
}

export class Call {
  readonly relay: RestRelay
  readonly accountSid: string
  readonly serviceSid: string
  readonly origin: string
  readonly base: string
  readonly url: string
  readonly path: { readonly [name: string]: string }
  readonly isWebhookEnabled: boolean
  readonly content: Content | null
  readonly #query: URLSearchParams
  readonly #options: CallOptions

  constructor(options: CallOptions) {
    this.relay = options.relay
    this.accountSid = options.accountSid
    this.serviceSid = options.serviceSid
    this.origin = options.origin
    this.base = options.base
    this.url = options.url
    this.path = options.path
    this.isWebhookEnabled = options.isWebhookEnabled
    this.content = options.content
    this.#query = options.query
    this.#options = options
  }

  /** What stands in the path at a name of its template. */
  part(name: string): string {
    return this.path[name] ?? ''
  }

  /** The address of this list with another page. */
  pageUrl(parameters: { PageSize: number; Page: number; PageToken: string | undefined }): string {
    const query = new URLSearchParams(this.#query)
    for (const [name, value] of Object.entries(parameters)) {
      query.delete(name)
      if (value !== undefined) query.set(name, String(value))
    }
    return `${this.url}?${query}`
  }

  /** The same caller, about another service of theirs. */
  within(serviceSid: string): Call {
    return new Call({ ...this.#options, serviceSid })
  }

  newId(): string {
    return uuidV7(this.relay.now(), (bytes) => randomBytes(bytes))
  }

  newSid(prefix: string): string {
    return prefix + this.newId()
  }

  /**
   * Does an operation, by the same decision and commit as everybody's.
   * @throws ConfabError with the code that is against it
   */
  async submit(document: string, draft: Draft): Promise<Outcome & { verdict: 'accepted' }> {
    const written = { id: this.newId(), dateWritten: this.relay.now(), ...draft } as Operation
    const parsed = parseOperation(written, this.relay.limits)
    if ('error' in parsed) throw errorFromBody(parsed.error)
    const operation = parsed.ok
    const source = this.isWebhookEnabled ? 'api' : 'api-silent'
    const outcome = await this.relay.engine.submit(this.serviceSid, document, operation, source)
    if (outcome.verdict !== 'accepted') throw errorFromBody(outcome)
    return outcome
  }

  /**
   * The conversation that a part of the path names, by its sid or its unique name.
   * @throws ConfabError 20404
   */
  async conversation(name = 'ConversationSid'): Promise<ConversationSnapshot> {
    const sid = await this.conversationSid(this.part(name))
    const found = sid === null ? null : await readConversation(this.relay.store, this.serviceSid, sid)
    if (!found) throw this.notFound()
    return found
  }

  /**
   * Where that conversation lies, without reading who is in it.
   * @throws ConfabError 20404
   */
  async place(name = 'ConversationSid'): Promise<Place> {
    const sid = await this.conversationSid(this.part(name))
    const found = sid === null ? null : await this.relay.store.catalogue.conversation(this.serviceSid, sid)
    if (!found || sid === null) throw this.notFound()
    return { sid, ...found }
  }

  async conversationSid(named: string): Promise<string | null> {
    if (isSid('CH', named)) return named
    return this.relay.store.uniqueNameOwner(this.serviceSid, named)
  }

  /** @throws ConfabError 20404 */
  async message({ key }: Place, name = 'MessageSid'): Promise<MessageRecord> {
    const [found] = await this.relay.store.messages(key, [this.sid('IM', this.part(name))])
    if (!found) throw this.notFound()
    return found.record
  }

  /** @throws ConfabError 20404 when it can be nothing's */
  sid(prefix: SidPrefix, given: string): string {
    if (!isSid(prefix, given)) throw this.notFound()
    return given
  }

  notFound(): ConfabError {
    return new ConfabError(20404, `The requested resource ${new URL(this.url).pathname} was not found`)
  }
}
