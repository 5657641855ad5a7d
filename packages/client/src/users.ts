/** The users that a client follows: its own, and those that it was asked for. */
import { ConfabError } from '@confab/core'
import { nameOf } from './checks.ts'
import { User, type UserCell } from './user.ts'

export interface UsersEvents {
  userSubscribed(user: User): void
  userUnsubscribed(user: User): void
}

export class Users {
  /** The client's own user. */
  readonly myself: User
  readonly #own: UserCell
  readonly #others = new Map<string, { user: User; cell: UserCell }>()
  readonly #events: UsersEvents

  constructor(identity: string, events: UsersEvents) {
    this.#events = events
    this.#own = { identity, subscribed: true }
    this.myself = new User(this.#own, () => {})
  }

  /** The store or the relay has told whose client this is. */
  identify(identity: string): void {
    this.#own.identity = identity
  }

  /** The user with this identity, followed from now on. Throws 20001. */
  get(identity: string): User {
    const name = nameOf(identity, 'An identity').normalize('NFC')
    if (name === this.#own.identity) return this.myself
    const known = this.#others.get(name)
    if (known) return known.user
    const cell = { identity: name, subscribed: true }
    const user = new User(cell, () => this.#forget(name))
    this.#others.set(name, { user, cell })
    user.emit('userSubscribed', user)
    this.#events.userSubscribed(user)
    return user
  }

  subscribed(): User[] {
    return [this.myself, ...[...this.#others.values()].map(({ user }) => user)]
  }

  #forget(identity: string): void {
    const known = this.#others.get(identity)
    if (!known) throw new ConfabError(20404, `${identity} is not followed`)
    this.#others.delete(identity)
    known.cell.subscribed = false
    known.user.emit('userUnsubscribed', known.user)
    this.#events.userUnsubscribed(known.user)
  }
}
