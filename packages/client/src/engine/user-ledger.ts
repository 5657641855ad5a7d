/**
 * What an app was last told of people and of this person's settings. Events are the difference, drawn once per task;
 * what must wait (the effect of a mutator whose promise hasn't settled) simply stays in the ledger.
 */
import { type Json, jsonEqual, type Operation } from '@confab/core'
import type { UserUpdateReason, UserView } from './engine.ts'
import { Withheld } from './withheld.ts'

/** What an operation changes, as far as holding back its event goes. */
export type UserPart = `profile ${string}` | `setting ${string}`

export type UserEvent =
  | { type: 'userUpdated'; view: UserView; reasons: UserUpdateReason[] }
  | { type: 'settingChanged'; conversationSid: string }

export interface UserSight {
  view(identity: string): UserView
  /** Sids of the conversations that are muted. */
  muted(): ReadonlySet<string>
}

export class UserLedger {
  /** By identity: those that are followed, as they were told; null until they are first seen. */
  readonly #told = new Map<string, UserView | null>()
  #muted: ReadonlySet<string> = new Set()
  readonly withheld = new Withheld<UserPart>()

  has(identity: string): boolean {
    return this.#told.has(identity)
  }

  identities(): Iterable<string> {
    return this.#told.keys()
  }

  /** Somebody is followed, and not seen yet: nothing of them is told. */
  expect(identity: string): void {
    this.#told.set(identity, null)
  }

  /** What is seen now of somebody who is expected needs no event. */
  arrived(identity: string, view: UserView): void {
    if (this.#told.get(identity) === null) this.#told.set(identity, view)
  }

  /** Gives whether they were followed. */
  forget(identity: string): boolean {
    return this.#told.delete(identity)
  }

  /** The settings as they are now need no event. */
  takeMuted(muted: ReadonlySet<string>): void {
    this.#muted = muted
  }

  /** The events that are due, in order. From now on these are what was told. */
  tell(sight: UserSight): UserEvent[] {
    const events: UserEvent[] = []
    for (const [identity, told] of [...this.#told]) {
      if (told === null || this.withheld.has(`profile ${identity}`)) continue
      const view = sight.view(identity)
      const reasons = userReasons(told, view)
      this.#told.set(identity, view)
      if (reasons.length > 0) events.push({ type: 'userUpdated', view, reasons })
    }
    const seen = sight.muted()
    const told = new Set(this.#muted)
    for (const conversationSid of new Set([...seen, ...this.#muted])) {
      const isMuted = seen.has(conversationSid)
      if (isMuted === told.has(conversationSid) || this.withheld.has(`setting ${conversationSid}`)) continue
      if (isMuted) told.add(conversationSid)
      else told.delete(conversationSid)
      events.push({ type: 'settingChanged', conversationSid })
    }
    this.#muted = told
    return events
  }
}

const NONE: Json = {}

function userReasons(told: UserView, seen: UserView): UserUpdateReason[] {
  const reasons: UserUpdateReason[] = []
  if (told.record?.friendlyName !== seen.record?.friendlyName) reasons.push('friendlyName')
  if (!jsonEqual(told.record?.attributes ?? NONE, seen.record?.attributes ?? NONE)) reasons.push('attributes')
  if (told.online !== seen.online) reasons.push('reachabilityOnline')
  if (told.notifiable !== seen.notifiable) reasons.push('reachabilityNotifiable')
  return reasons
}

/** The parts whose events wait until the caller's promise has settled. */
export function userParts(operation: Operation, self: string): UserPart[] {
  switch (operation.type) {
    case 'user.update':
      return [`profile ${operation.identity ?? self}`]
    case 'setting.set':
      return [`setting ${operation.conversationSid}`]
    case 'push.set':
    case 'push.remove':
    case 'user.delete':
      return [`profile ${self}`]
    default:
      return []
  }
}
