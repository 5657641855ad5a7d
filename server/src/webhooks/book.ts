/** Which webhooks there are: of accounts, of services, of conversations. Kept in memory, and on disk first. */
import type { Json } from '@confab/core'
import { POST_EVENTS, type PostEventType, PRE_EVENTS, type PreEventType } from '../events.ts'
import type { Services } from '../services/services.ts'
import type { ObjectStore } from '../store/objects.ts'

export type EventType = PreEventType | PostEventType
export type HttpMethod = 'GET' | 'POST'

/** What an account or a service has. */
export interface WebhookConfiguration {
  preUrl: string | null
  postUrl: string | null
  method: HttpMethod
  /** Null: nothing was ever said, which means all. */
  filters: EventType[] | null
}

/** A webhook of one conversation. It hears of what has happened, and is asked nothing. */
export interface ConversationWebhook {
  url: string
  method: HttpMethod
  filters: EventType[] | null
  dateCreated: number
  dateUpdated: number
}

export interface Target {
  webhook: string
  url: string
  method: HttpMethod
}

export const WEBHOOK = 'webhook'
const CONFIGURATION = 'webhook-configuration'
export const ALL_EVENTS: readonly EventType[] = [...PRE_EVENTS, ...POST_EVENTS]

const NOTHING: WebhookConfiguration = { preUrl: null, postUrl: null, method: 'POST', filters: null }

export const scopeOf = (serviceSid: string, conversationSid: string): string =>
  `${serviceSid}/${conversationSid}`

export class WebhookBook {
  readonly #objects: ObjectStore
  readonly #services: Pick<Services, 'accountOf'>
  /** By the sid of an account or a service. */
  readonly #configurations = new Map<string, WebhookConfiguration>()
  /** How many of them ask before. */
  #asking = 0
  /** By conversation, and there by sid. */
  readonly #ofConversations = new Map<string, Map<string, ConversationWebhook>>()
  readonly #bySid = new Map<string, ConversationWebhook & { conversationSid: string }>()

  constructor(objects: ObjectStore, services: Pick<Services, 'accountOf'>) {
    this.#objects = objects
    this.#services = services
  }

  /** Reads what is stored. To be called once, before anything is decided. */
  async load(): Promise<void> {
    for (const { sid, value } of await this.#objects.all(CONFIGURATION))
      this.#set(sid, value as unknown as WebhookConfiguration)
    for (const { scope, sid, value } of await this.#objects.all(WEBHOOK))
      this.noted(scope, sid, value as unknown as ConversationWebhook)
  }

  /** What is configured for an account or a service. */
  configuration(sid: string): WebhookConfiguration {
    return this.#configurations.get(sid) ?? NOTHING
  }

  async configure(sid: string, configuration: WebhookConfiguration): Promise<void> {
    await this.#objects.put(sid, CONFIGURATION, sid, configuration as unknown as Json)
    this.#set(sid, configuration)
  }

  /** The service is gone, and what was stored of it. */
  forget(serviceSid: string): void {
    this.#set(serviceSid, NOTHING)
    this.#configurations.delete(serviceSid)
  }

  #set(sid: string, configuration: WebhookConfiguration): void {
    if (this.configuration(sid).preUrl !== null) this.#asking--
    if (configuration.preUrl !== null) this.#asking++
    this.#configurations.set(sid, configuration)
  }

  /** A conversation's webhook was stored, or (null) is gone. */
  noted(scope: string, sid: string, value: ConversationWebhook | null): void {
    const all = this.#ofConversations.get(scope) ?? new Map<string, ConversationWebhook>()
    if (value) {
      all.set(sid, value)
      this.#bySid.set(sid, { ...value, conversationSid: scope.split('/', 2)[1] as string })
      this.#ofConversations.set(scope, all)
      return
    }
    all.delete(sid)
    this.#bySid.delete(sid)
    if (all.size === 0) this.#ofConversations.delete(scope)
  }

  /** Whose webhook it is; the path may have named the conversation otherwise. */
  conversationOf(sid: string): string | undefined {
    return this.#bySid.get(sid)?.conversationSid
  }

  /** Its conversation was deleted, and they with it. */
  conversationGone(scope: string): void {
    for (const sid of this.#ofConversations.get(scope)?.keys() ?? []) this.#bySid.delete(sid)
    this.#ofConversations.delete(scope)
  }

  get asksAnybody(): boolean {
    return this.#asking > 0
  }

  /** Whom to ask before; null when nobody. */
  asked(serviceSid: string, type: PreEventType): Target | null {
    const found = this.#inCharge(serviceSid)
    return found?.preUrl && wants(found, type)
      ? { webhook: found.sid, url: found.preUrl, method: found.method }
      : null
  }

  /** Whom to tell afterwards. */
  told(serviceSid: string, conversationSid: string, type: PostEventType): Target[] {
    const targets: Target[] = []
    const found = this.#inCharge(serviceSid)
    if (found?.postUrl && wants(found, type))
      targets.push({ webhook: found.sid, url: found.postUrl, method: found.method })
    for (const [webhook, one] of this.#ofConversations.get(scopeOf(serviceSid, conversationSid)) ?? [])
      if (wants(one, type)) targets.push({ webhook, url: one.url, method: one.method })
    return targets
  }

  /** Where a webhook's events go by now; null when it is gone. */
  target(webhook: string): Target | null {
    const one = this.#bySid.get(webhook)
    if (one) return { webhook, url: one.url, method: one.method }
    const { postUrl, method } = this.configuration(webhook)
    return postUrl === null ? null : { webhook, url: postUrl, method }
  }

  /** A service's own configuration is instead of its account's. */
  #inCharge(serviceSid: string): (WebhookConfiguration & { sid: string }) | null {
    const own = this.#configurations.get(serviceSid)
    if (own && (own.preUrl || own.postUrl)) return { ...own, sid: serviceSid }
    const accountSid = this.#services.accountOf(serviceSid)
    const shared = accountSid === undefined ? undefined : this.#configurations.get(accountSid)
    return accountSid !== undefined && shared ? { ...shared, sid: accountSid } : null
  }
}

const wants = ({ filters }: { filters: EventType[] | null }, type: EventType): boolean =>
  filters === null || filters.includes(type)
