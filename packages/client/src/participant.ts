import { ConfabError, isEmptyPatch, type Json } from '@confab/core'
import { jsonOf } from './checks.ts'
import type { Conversation } from './conversation.ts'
import { ReplayEventEmitter } from './emitter.ts'
import type { ParticipantView } from './engine/engine.ts'
import { roleOf } from './invites.ts'
import { ShownAttributes } from './shown-attributes.ts'
import type { Surface } from './surface.ts'
import type { JSONValue, ParticipantBindings, ParticipantType, ParticipantUpdatedEventArgs } from './types.ts'
import type { User } from './user.ts'

/** What a participant shows: replaced as it changes. */
export interface ParticipantCell {
  view: ParticipantView
}

const NO_ATTRIBUTES: Json = Object.freeze({})

export type ParticipantEvents = {
  typingEnded: (participant: Participant) => void
  typingStarted: (participant: Participant) => void
  updated: (data: ParticipantUpdatedEventArgs) => void
}

/** Somebody who takes part in a conversation: a person with an identity, or an address on a channel. */
export class Participant extends ReplayEventEmitter<ParticipantEvents> {
  /** The participant began to type. */
  static readonly typingStarted = 'typingStarted'
  /** The participant no longer types. */
  static readonly typingEnded = 'typingEnded'
  /** Something of the participant changed. */
  static readonly updated = 'updated'

  /** The conversation that this is a participant of. */
  readonly conversation: Conversation
  readonly #surface: Surface
  readonly #cell: ParticipantCell
  readonly #attributes = new ShownAttributes()

  /** @internal */
  constructor(surface: Surface, conversation: Conversation, cell: ParticipantCell) {
    super()
    this.#surface = surface
    this.conversation = conversation
    this.#cell = cell
  }

  /** Where apps in JavaScript find the fields, past Twilio's declarations. @internal */
  get state(): this {
    return this
  }

  /** `MB` and 32 hex digits. The same again for somebody who comes back. */
  get sid(): string {
    return this.#cell.view.record.sid
  }

  /** The app's own data; `{}` by default. */
  get attributes(): JSONValue {
    return this.#attributes.show(this.#cell.view.record.attributes ?? NO_ATTRIBUTES)
  }

  get dateCreated(): Date | null {
    return new Date(this.#cell.view.record.dateCreated)
  }

  get dateUpdated(): Date | null {
    const { dateUpdated, dateCreated } = this.#cell.view.record
    return new Date(dateUpdated ?? dateCreated)
  }

  /** Null for a participant who takes part by an address. */
  get identity(): string | null {
    return this.#cell.view.record.identity ?? null
  }

  get isTyping(): boolean {
    return this.#cell.view.typing
  }

  /** Index of the newest message that this participant has read; null when none. */
  get lastReadMessageIndex(): number | null {
    return this.#cell.view.read?.lastReadMessageIndex ?? null
  }

  /** When the horizon was last moved. */
  get lastReadTimestamp(): Date | null {
    const { read } = this.#cell.view
    return read && read.lastReadMessageIndex !== null ? new Date(read.lastReadTimestamp) : null
  }

  get roleSid(): string {
    return this.#cell.view.record.roleSid
  }

  /** `chat`, or the channel by which this participant takes part. */
  get type(): ParticipantType {
    return this.#cell.view.record.type
  }

  /** The addresses of a participant who takes part by a channel, under the channel's name. */
  get bindings(): ParticipantBindings {
    const { type, binding } = this.#cell.view.record
    if (!binding) return {}
    const { address, proxyAddress, projectedAddress } = binding
    return {
      [type]: {
        address,
        proxy_address: proxyAddress,
        ...(projectedAddress === undefined ? {} : { projected_address: projectedAddress }),
      },
    }
  }

  /**
   * The profile of this participant.
   * @throws ConfabError 50432 when the participant has no identity
   */
  async getUser(): Promise<User> {
    if (this.identity === null) throw new ConfabError(50432, `A participant of type ${this.type} has no user`)
    return this.#surface.client.getUser(this.identity)
  }

  /**
   * Removes the participant from the conversation.
   * @throws ConfabError 20403 without the permission, 50432 when no longer there, 70501 when storage fails
   */
  async remove(): Promise<void> {
    await this.conversation.removeParticipant(this)
  }

  /**
   * Gives the participant another role.
   * @param role a sid, or a name: `channel admin`, `channel user`
   * @throws ConfabError 20001 when there is no such role, 20403 without the permission, 50432 when no longer there,
   * 70501 when storage fails
   */
  async updateRole(role: string): Promise<Participant> {
    const roleSid = roleOf(role)
    if (roleSid !== this.roleSid) {
      const operation = { type: 'participant.update', sid: this.sid, roleSid } as const
      await this.#surface.working().submit(this.conversation.sid, [operation])
    }
    return this
  }

  /**
   * Sends what `attributes` changes in those that were shown; changes that others make to the rest are kept.
   * @throws ConfabError 70102 when too large, 70104 when no JSON, 20403 without the permission, 50432 when no
   * longer there, 70501 when storage fails
   */
  async updateAttributes(attributes: JSONValue): Promise<Participant> {
    const engine = this.#surface.working()
    const { record } = this.#cell.view
    const next = jsonOf(attributes, engine.limits.jsonDepth)
    const patch = this.#attributes.patchTo(next, record.attributes ?? NO_ATTRIBUTES)
    if (isEmptyPatch(patch)) return this
    this.#attributes.forgetCopy()
    await engine.submit(this.conversation.sid, [
      { type: 'participant.update', sid: record.sid, attributes: patch },
    ])
    // its event comes later, and the app may look before that
    const all = await engine.participants(this.conversation.sid)
    const now = all.find((one) => one.record.sid === record.sid)
    if (now) this.#cell.view = now
    this.#attributes.set(next)
    return this
  }
}
