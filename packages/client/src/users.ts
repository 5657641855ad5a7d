/** The users that a client follows: its own, and those that it was asked for. One object per person. */
import { normaliseIdentity } from '@confab/core'
import { nameOf } from './checks.ts'
import type { UserView } from './engine/engine.ts'
import type { Surface } from './surface.ts'
import type { UserUpdateReason } from './types.ts'
import { User, type UserCell } from './user.ts'

/** Others that are followed at once; the one asked for least recently is let go (Twilio's bound). */
const FOLLOWED = 100

export interface UsersHost {
  userSubscribed(user: User): void
  userUnsubscribed(user: User): void
  userUpdated(data: { user: User; updateReasons: UserUpdateReason[] }): void
  surface(): Promise<Surface>
}

interface Entry {
  readonly user: User
  readonly cell: UserCell
  /** What was seen last, once the user is no longer followed. */
  last: UserView | null
  /** Settles when the engine follows them. */
  following: Promise<unknown>
}

export class Users {
  /** The client's own user. */
  readonly myself: User
  readonly #own: Entry
  /** By identity, in the order of being asked for. */
  readonly #others = new Map<string, Entry>()
  readonly #host: UsersHost
  #surface: Surface | undefined

  constructor(identity: string, host: UsersHost) {
    this.#host = host
    this.#own = this.#entry(identity)
    this.myself = this.#own.user
  }

  /** The store or the relay has told whose client this is. */
  identify(surface: Surface): void {
    this.#surface = surface
    this.#own.cell.identity = surface.engine.owner.identity
  }

  /** The user with this identity, followed from now on. Throws 20001. */
  async get(surface: Surface, identity: string): Promise<User> {
    const engine = surface.working()
    const name = normaliseIdentity(nameOf(identity, 'An identity'), engine.limits)
    if (name === this.#own.cell.identity) return this.myself
    let entry = this.#others.get(name)
    if (entry) {
      this.#others.delete(name)
      this.#others.set(name, entry)
    } else {
      entry = this.#entry(name)
      this.#others.set(name, entry)
      entry.following = engine.followUser(name).then(() => this.#followed(name))
      if (this.#others.size > FOLLOWED) this.#letGo(this.#others.values().next().value as Entry)
    }
    await entry.following
    return entry.user
  }

  subscribed(): User[] {
    return [this.myself, ...[...this.#others.values()].map(({ user }) => user)]
  }

  /** The engine has told of a change. */
  changed(identity: string, updateReasons: UserUpdateReason[]): void {
    const user = identity === this.#own.cell.identity ? this.myself : this.#others.get(identity)?.user
    if (!user) return
    user.emit('updated', { user, updateReasons })
    this.#host.userUpdated({ user, updateReasons })
  }

  #entry(identity: string): Entry {
    const cell: UserCell = {
      identity,
      subscribed: true,
      view: () => entry.last ?? this.#surface?.engine.user(cell.identity) ?? null,
      surface: () => this.#host.surface(),
      unsubscribe: () => this.#letGo(entry),
    }
    const entry: Entry = { user: new User(cell), cell, last: null, following: Promise.resolve() }
    return entry
  }

  #followed(identity: string): void {
    const user = this.#others.get(identity)?.user
    // let go again while the relay was asked
    if (!user) return
    user.emit('userSubscribed', user)
    this.#host.userSubscribed(user)
  }

  #letGo(entry: Entry): void {
    const { cell, user } = entry
    if (entry === this.#own || !cell.subscribed) return
    entry.last = cell.view()
    cell.subscribed = false
    this.#others.delete(cell.identity)
    this.#surface?.engine.unfollowUser(cell.identity)
    user.emit('userUnsubscribed', user)
    this.#host.userUnsubscribed(user)
  }
}
