/**
 * What a person sees of one conversation: the relay's records and, on top, this device's undecided operations.
 * `project` of the core decides; here are the views and the pages that are made of it.
 */
import {
  type ConversationState,
  type DecideContext,
  type DraftState,
  decide,
  isGone,
  type Manifest,
  type MessageRecord,
  messageSidOf,
  type Operation,
  pageOf,
  participantSid,
  project,
  type SealedPage,
} from '@confab/core'
import type { ConversationView, MessagePage, MessageView } from './engine.ts'
import type { SeenParticipant } from './timeline.ts'

/** Relay state that can also be read by position. A `Replica` is one. */
export interface OrderedState extends ConversationState {
  readonly messageCount: number
  /** How many accepted messages have an index below `index`, sealed ones included. */
  countBelow(index: number): number
  readonly manifest: Manifest
  readonly ordered: readonly MessageRecord[]
  position(index: number): number
  /** The document was lost, and this is known of its messages: they exist, and none of them is here. */
  readonly lost?: Pick<ConversationView, 'lastMessage' | 'unreadCount'>
}

/** The records of a page; undefined when they are yet to be read, null when they can't be had now. */
export type ReadPage = (page: SealedPage) => readonly MessageRecord[] | null | undefined

export interface PageQuery {
  count: number
  anchor?: number
  direction: 'backwards' | 'forward'
}

export class Seen {
  readonly state: DraftState
  readonly base: OrderedState
  readonly #contextFor: (operation: Operation) => DecideContext
  readonly #posts: Map<string, MessageRecord>
  readonly #edited: ReadonlyMap<string, MessageRecord>
  readonly #removed: ReadonlySet<string>
  /** All accepted messages of a document that was lost: a page that can't be had now. */
  readonly #lost: SealedPage | null

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
    this.#lost = base.lost?.lastMessage ? lostPage(base) : null
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

  isTouched(sid: string): boolean {
    return this.#posts.has(sid) || this.#edited.has(sid) || this.#removed.has(sid)
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

  /**
   * Null when there is nothing here for this identity: not a participant, and not a creator who has yet to join.
   * @param told the newest message as it was shown last: its date goes on while the page of the one before isn't read
   */
  view(
    conversationSid: string,
    identity: string,
    pending: boolean,
    readPage: ReadPage,
    told?: ConversationView['lastMessage'],
  ): ConversationView | null {
    const record = this.state.conversation
    if (!record) return null
    const participant = this.state.participant(participantSid(conversationSid, { identity })) ?? null
    if (!participant && !(record.creatorPending && record.createdBy === identity)) return null
    const read = (participant && this.state.read(participant.sid)) ?? null
    const last = this.#last(readPage)
    return {
      sid: conversationSid,
      record,
      status: participant ? 'joined' : 'notParticipating',
      participant,
      read,
      lastMessage: last && {
        index: last.index,
        dateCreated: last.dateCreated ?? told?.dateCreated ?? record.dateCreated,
      },
      messageCount: this.base.messageCount - this.#removed.size + this.#posts.size,
      unreadCount: read?.lastReadMessageIndex == null ? null : this.#countAbove(read.lastReadMessageIndex),
      pending,
    }
  }

  /**
   * `count` messages at most; the one at `anchor` belongs to the page. Gives the page of history that must be read
   * first, if one must.
   */
  page({ count, anchor, direction }: PageQuery, readPage: ReadPage): MessagePage | SealedPage {
    const items: MessageView[] = []
    const backwards = direction === 'backwards'
    const step = backwards ? -1 : 1
    const start = anchor ?? (backwards ? Number.POSITIVE_INFINITY : 0)
    let more = false
    let absent: MessagePage['absent'] = null
    for (const one of this.#walk(start, step, readPage)) {
      if (!('sid' in one)) {
        more = true
        if (items.length === count) break
        if (one !== this.#lost && readPage(one) === undefined) return one
        absent = backwards
          ? { from: one.first, to: Math.min(one.last, start) }
          : { from: Math.max(one.first, start), to: one.last }
        break
      }
      if (this.#removed.has(one.sid)) continue
      if (items.length === count) {
        more = true
        break
      }
      // the record is at hand: looking it up would make an index of all
      items.push(this.message(one.sid, () => one) as MessageView)
    }
    let behind = false
    for (const one of this.#walk(start - step, -step, readPage)) {
      behind = !('sid' in one) || !this.#removed.has(one.sid)
      if (behind) break
    }
    if (backwards) items.reverse()
    return { items, hasOlder: backwards ? more : behind, hasNewer: backwards ? behind : more, absent }
  }

  /** The messages from an index on, it included, down or up; ends with a page whose records aren't at hand. */
  *#walk(from: number, step: number, readPage: ReadPage): Iterable<MessageRecord | SealedPage> {
    const { base } = this
    const posts = [...this.#posts.values()]
    const { ordered } = base
    const lowest = base.position(base.manifest.end)
    const below = (limit: number) => base.position(limit) + posts.filter((post) => post.index < limit).length
    const lost = this.#lost
    if (lost && step > 0 && from <= lost.last) return yield lost
    if (step > 0) if (yield* this.#sealed(from, step, readPage)) return
    let at = step < 0 ? below(from + 1) - 1 : Math.max(lowest, below(from))
    for (; at >= lowest && at < ordered.length + posts.length; at += step) {
      yield (ordered[at] ?? posts[at - ordered.length]) as MessageRecord
    }
    if (lost && step < 0 && from >= lost.first) yield lost
    if (step < 0) yield* this.#sealed(from, step, readPage)
  }

  /** Gives whether it ended before the records did. */
  *#sealed(from: number, step: number, readPage: ReadPage): Generator<MessageRecord | SealedPage, boolean> {
    const { manifest, ordered } = this.base
    const { pages, end } = manifest
    const down = step < 0
    const first = pageOf(manifest, down ? Math.min(from, end - 1) : Math.max(from, 0))
    for (let number = first?.number ?? -1; pages[number]; number += step) {
      const page = pages[number] as SealedPage
      if (page.count === 0) continue
      const records = readPage(page)
      if (!records) {
        yield page
        return true
      }
      for (let i = down ? records.length - 1 : 0; records[i]; i += step) {
        const record = records[i] as MessageRecord
        if ((down ? record.index > from : record.index < from) || isGone(page, record.index)) continue
        const edited = ordered[this.base.position(record.index)]
        yield edited?.index === record.index ? edited : record
      }
    }
    return false
  }

  /** The newest message, without its date when its page isn't at hand. */
  #last(readPage: ReadPage): { index: number; dateCreated?: number } | null {
    for (const one of this.#walk(Number.POSITIVE_INFINITY, -1, readPage)) {
      if ('sid' in one) {
        if (!this.#removed.has(one.sid)) return one
        continue
      }
      if (one === this.#lost) return this.base.lost?.lastMessage ?? null
      const removed = new Set([...this.#removed].map((sid) => this.base.message(sid)?.index))
      for (let index = one.last; index >= one.first; index--) {
        if (!isGone(one, index) && !removed.has(index)) return { index }
      }
    }
    return null
  }

  #countAbove(index: number): number {
    const { lost, highestIndex, messageCount } = this.base
    // as it was known, and no more than there can be since
    let count = lost
      ? Math.min(lost.unreadCount ?? messageCount, Math.max(0, highestIndex - index))
      : messageCount - this.base.countBelow(index + 1)
    for (const sid of this.#removed) if ((this.base.message(sid)?.index ?? -1) > index) count--
    for (const post of this.#posts.values()) if (post.index > index) count++
    return count
  }
}

const lostPage = ({ highestIndex, messageCount }: OrderedState): SealedPage => ({
  number: -1,
  first: 0,
  last: highestIndex,
  count: messageCount,
  before: 0,
  bytes: 0,
  hash: '',
  gone: undefined,
})
