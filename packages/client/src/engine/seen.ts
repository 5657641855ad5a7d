/**
 * What a person sees of one conversation: the relay's records and, on top, this device's undecided operations.
 * `project` of the core decides; here are the views and the pages that are made of it.
 */
import {
  type ConversationState,
  type DecideContext,
  type DraftState,
  decide,
  type MessageRecord,
  messageSidOf,
  type Operation,
  participantSid,
  project,
} from '@confab/core'
import type { ConversationView, MessagePage, MessageView } from './engine.ts'
import type { SeenParticipant } from './timeline.ts'

/** Relay state that can also be read by position. A `Replica` is one. */
export interface OrderedState extends ConversationState {
  readonly messageCount: number
  readonly ordered: readonly MessageRecord[]
  position(index: number): number
}

export class Seen {
  readonly state: DraftState
  readonly base: OrderedState
  readonly #contextFor: (operation: Operation) => DecideContext
  readonly #posts: Map<string, MessageRecord>
  readonly #edited: ReadonlyMap<string, MessageRecord>
  readonly #removed: ReadonlySet<string>

  constructor(
    base: OrderedState,
    pending: Iterable<Operation>,
    contextFor: (operation: Operation) => DecideContext,
  ) {
    const { state, posts, edited, removed } = project(base, pending, contextFor)
    this.state = state
    this.base = base
    this.#contextFor = contextFor
    this.#posts = new Map(posts.map((record) => [record.sid, record]))
    this.#edited = edited
    this.#removed = removed
  }

  /**
   * Takes in one more operation, if it is a post: posting ten thousand messages offline must not project all of
   * them for each. Gives whether it did; otherwise another `Seen` is due.
   */
  extend(operation: Operation): boolean {
    if (operation.type !== 'message.post') return false
    const decision = decide(this.state, operation, this.#contextFor(operation))
    if (decision.verdict !== 'accepted') return true
    this.state.apply(decision.changes)
    const sid = messageSidOf(operation.id)
    const record = this.state.message(sid)
    if (record) this.#posts.set(sid, record)
    return true
  }

  /** Sids of the messages that undecided operations show, change or hide. */
  touched(): Iterable<string> {
    return [...this.#posts.keys(), ...this.#edited.keys(), ...this.#removed]
  }

  /**
   * One message as it is shown.
   * @param accepted looks up what the relay has accepted; the records of before, when asking how it was
   */
  message(sid: string, accepted = (sid: string) => this.base.message(sid)): MessageView | undefined {
    if (this.#removed.has(sid)) return undefined
    const post = this.#posts.get(sid)
    if (post) return { record: post, status: 'pending' }
    const record = this.#edited.get(sid) ?? accepted(sid)
    return record && { record, status: 'accepted' }
  }

  participants(): Map<string, SeenParticipant> {
    const all = new Map<string, SeenParticipant>()
    for (const record of this.state.participants()) {
      all.set(record.sid, { record, read: this.state.read(record.sid) })
    }
    return all
  }

  /** Null when there is nothing here for this identity: not a participant, and not a creator who has yet to join. */
  view(conversationSid: string, identity: string, pending: boolean): ConversationView | null {
    const record = this.state.conversation
    if (!record) return null
    const participant = this.state.participant(participantSid(conversationSid, { identity })) ?? null
    if (!participant && !(record.creatorPending && record.createdBy === identity)) return null
    const read = (participant && this.state.read(participant.sid)) ?? null
    const last = this.#last()
    return {
      sid: conversationSid,
      record,
      status: participant ? 'joined' : 'notParticipating',
      participant,
      read,
      lastMessage: last && { index: last.index, dateCreated: last.dateCreated },
      messageCount: this.base.messageCount - this.#removed.size + this.#posts.size,
      unreadCount: read?.lastReadMessageIndex == null ? null : this.#countAbove(read.lastReadMessageIndex),
      pending,
    }
  }

  /** `count` messages at most; the one at `anchor` belongs to the page. */
  page(query: { count: number; anchor?: number; direction: 'backwards' | 'forward' }): MessagePage {
    const { count, anchor, direction } = query
    const items: MessageView[] = []
    const backwards = direction === 'backwards'
    const posts = [...this.#posts.values()]
    const { ordered } = this.base
    const total = ordered.length + posts.length
    const recordAt = (i: number) =>
      (i < ordered.length ? ordered[i] : posts[i - ordered.length]) as MessageRecord
    const start = anchor === undefined ? (backwards ? total : 0) : this.#positionOf(anchor, posts, backwards)
    const step = backwards ? -1 : 1
    let at = backwards ? start - 1 : start
    let more = false
    for (; at >= 0 && at < total; at += step) {
      const record = recordAt(at)
      if (this.#removed.has(record.sid)) continue
      if (items.length === count) {
        more = true
        break
      }
      // the record is at hand: looking it up would make an index of all
      items.push(this.message(record.sid, () => record) as MessageView)
    }
    let behind = false
    for (let i = backwards ? start : start - 1; i >= 0 && i < total && !behind; i -= step) {
      behind = !this.#removed.has(recordAt(i).sid)
    }
    if (backwards) items.reverse()
    return { items, hasOlder: backwards ? more : behind, hasNewer: backwards ? behind : more }
  }

  /** Where a page that starts at `anchor` begins: behind it when going backwards, at it when going forward. */
  #positionOf(anchor: number, posts: readonly MessageRecord[], behind: boolean): number {
    const limit = behind ? anchor + 1 : anchor
    return this.base.position(limit) + posts.filter((post) => post.index < limit).length
  }

  #last(): MessageRecord | null {
    let last: MessageRecord | null = null
    for (const post of this.#posts.values()) last = post
    if (last) return last
    const { ordered } = this.base
    for (let i = ordered.length - 1; i >= 0; i--) {
      const record = ordered[i] as MessageRecord
      if (!this.#removed.has(record.sid)) return record
    }
    return null
  }

  #countAbove(index: number): number {
    let count = this.base.messageCount - this.base.position(index + 1)
    for (const sid of this.#removed) if ((this.base.message(sid)?.index ?? -1) > index) count--
    for (const post of this.#posts.values()) if (post.index > index) count++
    return count
  }
}
