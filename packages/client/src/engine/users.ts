/**
 * People, as this device sees them: profiles that are followed, one's own settings, and on top of both what was
 * written here and is undecided. Says what has changed since an app was last told, once per task.
 */
import {
  ConfabError,
  DEFAULT_ROLES,
  type DocumentName,
  decideUser,
  type Operation,
  type ProfileRecord,
  type PushChannelType,
  parseDocumentName,
  projectUser,
  SERVICE_ADMIN,
  type UserDecideContext,
  type UserDraft,
  type UserState,
} from '@confab/core'
import type { StoredSummary, StoreOwner } from '../storage/storage.ts'
import type { OpenRequest } from '../transport/transport.ts'
import type { Directory } from './directory.ts'
import { operationOf } from './drafts.ts'
import type { EngineEvents, OperationDraft, UserUpdateReason, UserView } from './engine.ts'
import type { ConversationHost } from './host.ts'
import { LocalProfile } from './profile.ts'
import { userReasons } from './user-reasons.ts'

/** Milliseconds that following waits for the relay to tell of somebody who isn't known here. */
const FOLLOW_WAIT = 2000

/** What an operation changes, as far as holding back its event goes. */
type Part = `profile ${string}` | `setting ${string}`

/** What happens elsewhere. */
export interface UsersOutside {
  /** Events of people and settings are due. */
  changed(flush: (events: EngineEvents) => void): void
  /** Ends a document's subscription. */
  close(document: DocumentName): void
}

export class Users {
  readonly #host: ConversationHost
  readonly #owner: StoreOwner
  readonly #directory: Directory
  readonly #outside: UsersOutside
  /** By identity: all that are known here, followed or not. */
  readonly #profiles = new Map<string, LocalProfile>()
  /** By identity: those that are followed, as the app was last told of them; null until they are first seen. */
  readonly #told = new Map<string, UserView | null>()
  #toldMuted: ReadonlySet<string> = new Set()
  readonly #withheld = new Map<Part, number>()
  #seen: UserDraft | null = null
  /** Decided here and on their way to the disk. */
  #inflight: Operation[] = []
  /** By channel: what this device registered last. */
  readonly #push = new Map<string, string>()

  constructor(host: ConversationHost, owner: StoreOwner, directory: Directory, outside: UsersOutside) {
    this.#host = host
    this.#owner = owner
    this.#directory = directory
    this.#outside = outside
  }

  // --- start

  restore(summary: StoredSummary): void {
    const name = parseDocumentName(summary.document)
    if (name?.kind === 'profile') this.#profileOf(name.id, summary.data as ProfileRecord | null)
  }

  restoreValue(key: string, value: unknown): void {
    if (key.startsWith(pushKey(''))) this.#push.set(key.slice(pushKey('').length), value as string)
  }

  /** Follows oneself. What is seen now is what was told. */
  start(): void {
    this.#told.set(this.#owner.identity, this.view(this.#owner.identity))
    this.#profileOf(this.#owner.identity)
    this.#toldMuted = this.#muted()
  }

  // --- what is seen

  view(identity: string): UserView {
    const record = this.#state.profile(identity)
    const profile = this.#profiles.get(identity)
    const isKnown = record !== null || profile?.isRead === true || identity === this.#owner.identity
    const notifiable = isKnown ? record?.notifiable === true : null
    return { identity, record, online: profile?.online ?? null, notifiable }
  }

  notificationLevel(conversationSid: string): 'default' | 'muted' {
    return this.#state.setting(conversationSid)?.notificationLevel ?? 'default'
  }

  /** Something that is seen here has changed, or may have. */
  readonly changed = (): void => {
    this.#seen = null
    this.#outside.changed((events) => this.#flush(events))
  }

  // --- following

  async follow(identity: string): Promise<UserView> {
    const profile = this.#profileOf(identity)
    if (!this.#told.has(identity)) {
      this.#told.set(identity, null)
      const { link, platform } = this.#host
      if (link.connected && !profile.isOpen) {
        const answer = profile.answered()
        link.open([profile.connected()])
        // who is known from the store is shown at once; what the relay adds is news
        if (!profile.record) {
          const timer = platform.setTimeout(() => profile.giveUp(), FOLLOW_WAIT)
          await answer
          platform.clearTimeout(timer)
        }
      }
      if (this.#told.get(identity) === null) this.#told.set(identity, this.view(identity))
    }
    return this.view(identity)
  }

  unfollow(identity: string): void {
    if (identity === this.#owner.identity || !this.#told.delete(identity)) return
    const profile = this.#profileOf(identity)
    if (profile.isOpen) this.#outside.close(profile.name)
    profile.disconnected()
  }

  // --- the relay

  /** The profile that is followed under this document's name. */
  profile(document: DocumentName): LocalProfile | undefined {
    const name = parseDocumentName(document)
    return name?.kind === 'profile' && this.#told.has(name.id) ? this.#profiles.get(name.id) : undefined
  }

  /** What to ask of a relay that was just met. */
  connected(): OpenRequest[] {
    return [...this.#told.keys()].map((identity) => this.#profileOf(identity).connected())
  }

  disconnected(): void {
    for (const profile of this.#profiles.values()) profile.disconnected()
  }

  // --- what is changed

  /** As a conversation's mutators: limits and rules at once, durable, then the relay's verdict. */
  async submit(
    drafts: readonly OperationDraft[],
    others: { remove?: string[]; values?: { [key: string]: unknown } } = {},
  ): Promise<Operation[]> {
    const { journal, verdicts, link } = this.#host
    const operations = this.#admit(drafts)
    if (operations.length === 0 && !others.remove && !others.values) return []
    const parts = operations.flatMap((operation) => this.#partsOf(operation))
    for (const part of parts) this.#withheld.set(part, (this.#withheld.get(part) ?? 0) + 1)
    try {
      const { name } = this.#directory
      const entries = await journal
        .append(
          operations.map((operation) => ({ id: operation.id, document: name, operation, state: 'pending' })),
          others,
        )
        .finally(() => this.#landed(operations))
      const ids = operations.map(({ id }) => id)
      // registered before it is sent: its verdict may come in the same turn
      const verdict = link.connected && ids.length > 0 ? verdicts.wait(ids) : null
      this.#directory.appended(entries, others.remove ?? [])
      await verdict
      return operations
    } finally {
      // in a later task than the one in which the caller hears that its promise has settled
      this.#host.platform.macrotask(() => this.#release(parts))
    }
  }

  async setPush(channelType: PushChannelType, token: string): Promise<void> {
    const before = this.#push.get(channelType)
    const drafts: OperationDraft[] = [{ type: 'push.set', channelType, token }]
    // a device has one registration with each service
    if (before !== undefined && before !== token)
      drafts.unshift({ type: 'push.remove', channelType, token: before })
    await this.submit(drafts, { values: { [pushKey(channelType)]: token } })
    this.#push.set(channelType, token)
  }

  /** @param token null: what this device registered last */
  async removePush(channelType: PushChannelType, token: string | null): Promise<void> {
    const own = this.#push.get(channelType)
    const gone = token ?? own
    if (gone === undefined) return
    const values = gone === own ? { values: { [pushKey(channelType)]: undefined } } : {}
    await this.submit([{ type: 'push.remove', channelType, token: gone }], values)
    if (gone === own) this.#push.delete(channelType)
  }

  #admit(drafts: readonly OperationDraft[]): Operation[] {
    const { limits, platform, journal } = this.#host
    if (journal.pending(this.#directory.name).length + drafts.length > limits.pendingOperations)
      throw new ConfabError(70107)
    const draft = projectUser(this.#base, [...this.#directory.pending, ...this.#inflight], this.#contextFor)
    const operations: Operation[] = []
    for (const one of drafts) {
      const operation = operationOf(one, limits, platform)
      const decision = decideUser(draft, operation, this.#contextFor(operation))
      if (decision.verdict !== 'accepted')
        throw new ConfabError(decision.code as ConstructorParameters<typeof ConfabError>[0], decision.message)
      draft.apply(decision.changes)
      if (decision.changes.length > 0) operations.push(operation)
    }
    this.#inflight.push(...operations)
    return operations
  }

  #landed(operations: readonly Operation[]): void {
    this.#inflight = this.#inflight.filter((one) => !operations.includes(one))
  }

  #release(parts: readonly Part[]): void {
    for (const part of parts) {
      const count = (this.#withheld.get(part) ?? 0) - 1
      if (count > 0) this.#withheld.set(part, count)
      else this.#withheld.delete(part)
    }
    if (parts.length > 0) this.changed()
  }

  #partsOf(operation: Operation): Part[] {
    if (operation.type === 'user.update') return [`profile ${operation.identity ?? this.#owner.identity}`]
    if (operation.type === 'setting.set') return [`setting ${operation.conversationSid}`]
    return operation.type === 'push.set' || operation.type === 'push.remove'
      ? [`profile ${this.#owner.identity}`]
      : []
  }

  // --- what the app is told

  #flush(events: EngineEvents): void {
    for (const [identity, told] of [...this.#told]) {
      if (told === null || this.#withheld.has(`profile ${identity}`)) continue
      const view = this.view(identity)
      const reasons: UserUpdateReason[] = userReasons(told, view)
      this.#told.set(identity, view)
      if (reasons.length > 0) events.userUpdated(view, reasons)
    }
    const muted = this.#muted()
    const now = new Set(muted)
    for (const sid of new Set([...muted, ...this.#toldMuted])) {
      if (muted.has(sid) === this.#toldMuted.has(sid)) continue
      if (this.#withheld.has(`setting ${sid}`)) {
        // as it was told, until it may be
        if (muted.has(sid)) now.delete(sid)
        else now.add(sid)
      } else this.#host.settingChanged(sid, events)
    }
    this.#toldMuted = now
  }

  // --- inside

  #muted(): Set<string> {
    const sids = [...this.#directory.settings()]
    for (const operation of this.#directory.pending) {
      if (operation.type === 'setting.set') sids.push(operation.conversationSid)
    }
    return new Set(sids.filter((sid) => this.notificationLevel(sid) === 'muted'))
  }

  get #state(): UserDraft {
    this.#seen ??= projectUser(this.#base, this.#directory.pending, this.#contextFor)
    return this.#seen
  }

  get #base(): UserState {
    const directory = this.#directory
    return {
      settingCount: directory.settings().length,
      pushRegistrations: directory.pushRegistrations,
      setting: (conversationSid) => directory.setting(conversationSid),
      profile: (identity) => this.#profiles.get(identity)?.record ?? null,
    }
  }

  readonly #contextFor = (operation: Operation): UserDecideContext => ({
    actor: { kind: 'identity', identity: this.#owner.identity },
    identity: this.#owner.identity,
    serviceSid: this.#owner.serviceSid,
    now: operation.dateWritten,
    limits: this.#host.limits,
    roles: DEFAULT_ROLES,
    // which role a person has in the service, only the relay knows: refusing by it is the relay's to do
    serviceRoleSid: SERVICE_ADMIN,
  })

  #profileOf(identity: string, record: ProfileRecord | null = null): LocalProfile {
    let profile = this.#profiles.get(identity)
    if (!profile) {
      profile = new LocalProfile(this.#host, identity, record, this.changed)
      this.#profiles.set(identity, profile)
    }
    return profile
  }
}

/** Where the journal's values keep what this device registered for push. */
const pushKey = (channelType: string): string => `push ${channelType}`
