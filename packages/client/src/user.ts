import { ConfabError, isEmptyPatch, type Json } from '@confab/core'
import { jsonOf, textOf } from './checks.ts'
import { ReplayEventEmitter } from './emitter.ts'
import type { OperationDraft, UserView } from './engine/engine.ts'
import { ShownAttributes } from './shown-attributes.ts'
import type { Surface } from './surface.ts'
import type { JSONValue, UserUpdatedEventArgs } from './types.ts'

const NO_ATTRIBUTES: Json = Object.freeze({})

export type UserEvents = {
  updated: (data: UserUpdatedEventArgs) => void
  userSubscribed: (user: User) => void
  userUnsubscribed: (user: User) => void
}

/** What a user's object stands on. */
export interface UserCell {
  identity: string
  subscribed: boolean
  /** What is seen now; what was seen last, once the user is no longer followed; null before the client is initialised. */
  view(): UserView | null
  /** Rejects as every call of a client that can't start, or was shut down. */
  surface(): Promise<Surface>
  unsubscribe(user: User): void
}

/**
 * A person of the service. What they say of themselves is readable offline once it was read, and changes while the
 * client follows them (`isSubscribed`). Changes settle as a conversation's do.
 */
export class User extends ReplayEventEmitter<UserEvents> {
  /** Something of the user changed. */
  readonly updated = 'updated'
  /** The client began to follow the user. */
  readonly userSubscribed = 'userSubscribed'
  /** The client no longer follows the user. */
  readonly userUnsubscribed = 'userUnsubscribed'

  readonly #cell: UserCell
  readonly #attributes = new ShownAttributes()

  /** @internal */
  constructor(cell: UserCell) {
    super()
    this.#cell = cell
  }

  /** Where apps in JavaScript find the fields, past Twilio's declarations. @internal */
  get state(): this {
    return this
  }

  /** `''` for the client's own user until the client knows whose it is. */
  get identity(): string {
    return this.#cell.identity
  }

  /** The app's own data; `{}` by default, and of somebody whose profile isn't known here. */
  get attributes(): JSONValue {
    return this.#attributes.show(this.#stored)
  }

  /** Null by default, and of somebody whose profile isn't known here. */
  get friendlyName(): string | null {
    return this.#cell.view()?.record?.friendlyName ?? null
  }

  /** Whether one of the user's clients is connected to the relay; null while that isn't known (for one, offline). */
  get isOnline(): boolean | null {
    return this.#cell.view()?.online ?? null
  }

  /** Whether a device of the user's is registered for push notifications; null until the relay has told of the user. */
  get isNotifiable(): boolean | null {
    return this.#cell.view()?.notifiable ?? null
  }

  /** Whether the client follows what happens to this user. */
  get isSubscribed(): boolean {
    return this.#cell.subscribed
  }

  /**
   * Sends what `attributes` changes in those that were shown; changes that are made elsewhere to the rest are kept.
   * @throws ConfabError 70102 when too large, 70104 when no JSON, 20403 without the permission (somebody else's needs
   * `editAnyUserInfo`, which only the relay decides), 70501 when storage fails
   */
  async updateAttributes(attributes: JSONValue): Promise<User> {
    const engine = (await this.#cell.surface()).working()
    const next = jsonOf(attributes, engine.limits.jsonDepth)
    const patch = this.#attributes.patchTo(next, this.#stored)
    if (isEmptyPatch(patch)) return this
    this.#attributes.forgetCopy()
    await engine.submitForUser([this.#update({ attributes: patch })])
    this.#attributes.set(next)
    return this
  }

  /**
   * @param friendlyName at most 256 characters; null takes it away
   * @throws ConfabError 70103 when too long, 20403 without the permission, 70501 when storage fails
   */
  async updateFriendlyName(friendlyName: string | null): Promise<User> {
    const engine = (await this.#cell.surface()).working()
    const name = friendlyName === null ? null : textOf(friendlyName, 'A friendly name')
    if (name !== this.friendlyName) await engine.submitForUser([this.#update({ friendlyName: name })])
    return this
  }

  /**
   * Stops following the user, whose object then shows what was seen last. Does nothing for the client's own.
   * @throws ConfabError 70701 after `shutdown`
   */
  async unsubscribe(): Promise<void> {
    const surface = await this.#cell.surface()
    surface.working()
    this.#cell.unsubscribe(this)
  }

  get #stored(): Json {
    return this.#cell.view()?.record?.attributes ?? NO_ATTRIBUTES
  }

  #update(
    fields: Pick<OperationDraft & { type: 'user.update' }, 'friendlyName' | 'attributes'>,
  ): OperationDraft {
    if (this.identity === '') throw new ConfabError(20500, 'It is not known whose client this is')
    return { type: 'user.update', identity: this.identity, ...fields }
  }
}
