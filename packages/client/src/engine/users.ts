/**
 * People, as this device sees them: profiles that are followed, one's own settings, and on top of both what was
 * written here and is undecided.
 */
import {
  DEFAULT_ROLES,
  type DocumentName,
  type Operation,
  type ProfileRecord,
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
import type { EngineEvents, UserView } from './engine.ts'
import type { ConversationHost } from './host.ts'
import { LocalProfile } from './profile.ts'
import { UserLedger, type UserSight } from './user-ledger.ts'
import { type UserKnowledge, UserWriter } from './user-writer.ts'

/** Milliseconds that following waits for the relay to tell of somebody who isn't known here. */
const FOLLOW_WAIT = 2000

/** What happens elsewhere. */
export interface UsersOutside {
  /** Events of people and settings are due. */
  changed(flush: (events: EngineEvents) => void): void
  /** Ends a document's subscription. */
  close(document: DocumentName): void
}

export class Users implements UserKnowledge, UserSight {
  readonly writer: UserWriter
  readonly #host: ConversationHost
  readonly #owner: StoreOwner
  readonly #directory: Directory
  readonly #outside: UsersOutside
  readonly #ledger = new UserLedger()
  /** By identity: all that are known here, followed or not. */
  readonly #profiles = new Map<string, LocalProfile>()
  #seen: UserDraft | null = null

  constructor(host: ConversationHost, owner: StoreOwner, directory: Directory, outside: UsersOutside) {
    this.#host = host
    this.#owner = owner
    this.#directory = directory
    this.#outside = outside
    this.writer = new UserWriter(host, directory, this.#ledger, this)
  }

  // --- start

  restore(summary: StoredSummary): void {
    const name = parseDocumentName(summary.document)
    if (name?.kind === 'profile') this.#profileOf(name.id, summary.data as ProfileRecord | null)
  }

  /** Follows oneself. What is seen now is what was told. */
  start(): void {
    const { identity } = this.#owner
    this.#profileOf(identity)
    this.#ledger.expect(identity)
    this.#ledger.arrived(identity, this.view(identity))
    this.#ledger.takeMuted(this.muted())
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

  muted(): ReadonlySet<string> {
    const sids = this.#directory.settings()
    for (const operation of this.#directory.pending) {
      if (operation.type === 'setting.set') sids.push(operation.conversationSid)
    }
    return new Set(sids.filter((sid) => this.notificationLevel(sid) === 'muted'))
  }

  get base(): UserState {
    const directory = this.#directory
    return {
      settingCount: directory.settings().length,
      pushRegistrations: directory.pushRegistrations,
      setting: (conversationSid) => directory.setting(conversationSid),
      profile: (identity) => this.#profiles.get(identity)?.record ?? null,
    }
  }

  contextFor(operation: Operation): UserDecideContext {
    const { identity, serviceSid } = this.#owner
    return {
      actor: { kind: 'identity', identity },
      identity,
      serviceSid,
      now: operation.dateWritten,
      limits: this.#host.limits,
      roles: DEFAULT_ROLES,
      // which role a person has in the service, only the relay knows: refusing by it is the relay's to do
      serviceRoleSid: SERVICE_ADMIN,
    }
  }

  /** Something that is seen here has changed, or may have. */
  changed(): void {
    this.#seen = null
    this.#outside.changed((events) => this.#flush(events))
  }

  // --- following

  async follow(identity: string): Promise<UserView> {
    const profile = this.#profileOf(identity)
    if (!this.#ledger.has(identity)) {
      this.#ledger.expect(identity)
      await this.#ask(profile)
      this.#ledger.arrived(identity, this.view(identity))
    }
    return this.view(identity)
  }

  unfollow(identity: string): void {
    if (identity === this.#owner.identity || !this.#ledger.forget(identity)) return
    const profile = this.#profileOf(identity)
    if (profile.isOpen) this.#outside.close(profile.name)
    profile.disconnected()
  }

  /** Who is known from the store is shown at once, and what the relay adds is news. */
  async #ask(profile: LocalProfile): Promise<void> {
    const { link, platform } = this.#host
    if (!link.connected || profile.isOpen) return
    const answer = profile.answered()
    link.open([profile.connected()])
    if (profile.record) return
    const timer = platform.setTimeout(() => profile.giveUp(), FOLLOW_WAIT)
    await answer
    platform.clearTimeout(timer)
  }

  // --- the relay

  /** The profile that is followed under this document's name. */
  profile(document: DocumentName): LocalProfile | undefined {
    const name = parseDocumentName(document)
    return name?.kind === 'profile' && this.#ledger.has(name.id) ? this.#profiles.get(name.id) : undefined
  }

  /** What to ask of a relay that was just met. */
  connected(): OpenRequest[] {
    return [...this.#ledger.identities()].map((identity) => this.#profileOf(identity).connected())
  }

  disconnected(): void {
    for (const profile of this.#profiles.values()) profile.disconnected()
  }

  // --- inside

  #flush(events: EngineEvents): void {
    for (const event of this.#ledger.tell(this)) {
      if (event.type === 'userUpdated') events.userUpdated(event.view, event.reasons)
      else this.#host.settingChanged(event.conversationSid, events)
    }
  }

  get #state(): UserDraft {
    this.#seen ??= projectUser(this.base, this.#directory.pending, (operation) => this.contextFor(operation))
    return this.#seen
  }

  #profileOf(identity: string, record: ProfileRecord | null = null): LocalProfile {
    let profile = this.#profiles.get(identity)
    if (!profile) {
      profile = new LocalProfile(this.#host, identity, record, () => this.changed())
      this.#profiles.set(identity, profile)
    }
    return profile
  }
}
