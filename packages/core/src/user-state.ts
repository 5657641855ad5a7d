/** What a decision in `user/<identity>` looks at and changes, and how a device shows it. */
import type { Limits } from './limits.ts'
import type { Operation } from './operations.ts'
import type { Identity, ProfileRecord, PushRegistrationRecord, SettingRecord } from './records.ts'
import { decideUser } from './reducer/user.ts'
import type { RoleTable } from './roles.ts'
import type { Actor, DecisionAgainst } from './state.ts'

/** A person's settings, and everybody's profiles as far as an operation names them. Reading only. */
export interface UserState {
  /** How many conversations have a setting. */
  readonly settingCount: number
  readonly pushRegistrations: readonly PushRegistrationRecord[]
  setting(conversationSid: string): SettingRecord | undefined
  /** Null when there is none, or none is known here. */
  profile(identity: Identity): ProfileRecord | null
}

export interface UserDecideContext {
  actor: Actor
  /** Whose `user/<identity>` it is. */
  identity: Identity
  serviceSid: string
  /** Acceptance time on the relay, `dateWritten` on a device; milliseconds since the epoch. */
  now: number
  limits: Limits
  roles: RoleTable
  /** The actor's role in the whole service. */
  serviceRoleSid: string
}

/** One record-level effect of an accepted operation of a user document. */
export type UserChange =
  /** In `profile/<identity>`. Keys with value `undefined` are deleted. */
  | { type: 'profile.set'; identity: Identity; values: Partial<ProfileRecord> }
  | { type: 'setting.put'; conversationSid: string; record: SettingRecord }
  | { type: 'setting.delete'; conversationSid: string }
  /** All of them, in place of those before. */
  | { type: 'push.put'; registrations: PushRegistrationRecord[] }
  /** Profile, settings and push registrations are gone, and no byte of them is kept. */
  | { type: 'user.erase'; identity: Identity }

export type UserDecision = { verdict: 'accepted'; changes: UserChange[] } | DecisionAgainst

/** A profile with the values set; those that are `undefined` are left out. */
export function withProfileValues(
  record: ProfileRecord | null,
  values: Partial<ProfileRecord>,
): ProfileRecord {
  const next: Record<string, unknown> = { ...record }
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) delete next[key]
    else next[key] = value
  }
  // the first change of a profile sets sid, identity and dateCreated; they are never unset
  return next as unknown as ProfileRecord
}

/** A user state with changes on top, over any other and without copying it. */
export class UserDraft implements UserState {
  readonly #base: UserState
  readonly #settings = new Map<string, SettingRecord | null>()
  readonly #profiles = new Map<Identity, ProfileRecord>()
  #settingCount: number
  #pushRegistrations: readonly PushRegistrationRecord[]

  constructor(base: UserState) {
    this.#base = base
    this.#settingCount = base.settingCount
    this.#pushRegistrations = base.pushRegistrations
  }

  get settingCount(): number {
    return this.#settingCount
  }

  get pushRegistrations(): readonly PushRegistrationRecord[] {
    return this.#pushRegistrations
  }

  setting(conversationSid: string): SettingRecord | undefined {
    const here = this.#settings.get(conversationSid)
    return here === undefined ? this.#base.setting(conversationSid) : (here ?? undefined)
  }

  profile(identity: Identity): ProfileRecord | null {
    return this.#profiles.get(identity) ?? this.#base.profile(identity)
  }

  /** Takes over the changes of an accepted decision, in order. */
  apply(changes: readonly UserChange[]): void {
    for (const change of changes) {
      switch (change.type) {
        case 'profile.set':
          this.#profiles.set(change.identity, withProfileValues(this.profile(change.identity), change.values))
          break
        case 'setting.put':
          if (!this.setting(change.conversationSid)) this.#settingCount++
          this.#settings.set(change.conversationSid, change.record)
          break
        case 'setting.delete':
          if (this.setting(change.conversationSid)) this.#settingCount--
          this.#settings.set(change.conversationSid, null)
          break
        case 'push.put':
          this.#pushRegistrations = change.registrations
          break
        case 'user.erase':
          // a device never decides it: it learns of it from its documents
          break
      }
    }
  }
}

/**
 * What a person sees of users: the relay's state and, on top, their own operations that are still undecided. Those
 * that would be refused as things stand change nothing here.
 * @param pending undecided operations in the order in which they were written
 */
export function projectUser(
  base: UserState,
  pending: Iterable<Operation>,
  contextFor: (operation: Operation) => UserDecideContext,
): UserDraft {
  const draft = new UserDraft(base)
  for (const operation of pending) {
    const decision = decideUser(draft, operation, contextFor(operation))
    if (decision.verdict === 'accepted') draft.apply(decision.changes)
  }
  return draft
}
