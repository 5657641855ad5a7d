import { ReplayEventEmitter } from './emitter.ts'
import type { JSONValue, UserUpdatedEventArgs } from './types.ts'

export type UserEvents = {
  updated: (data: UserUpdatedEventArgs) => void
  userSubscribed: (user: User) => void
  userUnsubscribed: (user: User) => void
}

/** What a user's object is told of. */
export interface UserCell {
  identity: string
  subscribed: boolean
}

/** A person of the service. */
export class User extends ReplayEventEmitter<UserEvents> {
  /** Something of the user changed. */
  readonly updated = 'updated'
  /** The client began to follow the user. */
  readonly userSubscribed = 'userSubscribed'
  /** The client no longer follows the user. */
  readonly userUnsubscribed = 'userUnsubscribed'

  readonly #cell: UserCell
  readonly #unsubscribe: (user: User) => void

  /** @internal */
  constructor(cell: UserCell, unsubscribe: (user: User) => void) {
    super()
    this.#cell = cell
    this.#unsubscribe = unsubscribe
  }

  /** `''` for the client's own user until the client knows whose it is. */
  get identity(): string {
    return this.#cell.identity
  }

  /** The app's own data; `{}` of somebody whose profile isn't known here. */
  get attributes(): JSONValue {
    return {}
  }

  /** Null of somebody whose profile isn't known here. */
  get friendlyName(): string | null {
    return null
  }

  /** Null: the relay tells nobody who is connected. */
  get isOnline(): boolean | null {
    return null
  }

  /** Null: the relay tells nobody who can be notified. */
  get isNotifiable(): boolean | null {
    return null
  }

  /** Whether the client follows what happens to this user. */
  get isSubscribed(): boolean {
    return this.#cell.subscribed
  }

  /** Stops following the user. */
  async unsubscribe(): Promise<void> {
    if (this.#cell.subscribed) this.#unsubscribe(this)
  }
}
