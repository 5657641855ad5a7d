/**
 * Opening documents: where a reader stands, what is missing, and from when on the fan-out reaches them. Reads the
 * store only; news that come meanwhile are held back and put behind the answer.
 */
import {
  ConfabError,
  compactUpdates,
  decodeStateVector,
  type Outcome,
  parseDocumentName,
  type ResumePoint,
  UpdateViolation,
  userDocument,
} from '@confab/core'
import type { News, OpenAnswer, OpenQuery, Subscriber } from '../engine.ts'
import type { DocumentPoint, Head, LogEntry, RootId } from '../store/store.ts'
import type { Committer } from './committer.ts'
import { EMPTY_STATE_VECTOR } from './judging.ts'
import type { EngineSettings } from './options.ts'
import { becomeAbsent, deliver, type Readers, type Subscription } from './readers.ts'
import { RETIRED } from './root-ids.ts'

const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }

/** Entries of a state vector that a stock client sends, at most. */
const STATE_VECTOR_CLIENTS = 100_000

/**
 * Updates that are sent as they are. More are compacted into one: a stock Y.Doc merges the items of a transaction
 * from its end, copying all that it has merged so far (docs/design.md has the measurement).
 */
const SEPARATE = 32
/** Bytes of a log that is short enough to be read each time, whatever is left of it. */
const WASTED_BYTES = 64 * 1024

/** What was read for one subscription, and where it then stands. */
interface Reading {
  answer: OpenAnswer
  nextSeq: number
  point: ResumePoint
}

export class Opening {
  readonly #options: EngineSettings
  readonly #readers: Readers
  readonly #committer: Committer
  /** Told of documents whose snapshot is from before a sealing: a newer one saves each reader's opening some work. */
  onStale: (key: number) => void = () => {}

  constructor(options: EngineSettings, readers: Readers, committer: Committer) {
    this.#options = options
    this.#readers = readers
    this.#committer = committer
    readers.welcomer = (subscription) => this.#welcome(subscription)
  }

  async open(subscriber: Subscriber, queries: readonly OpenQuery[]): Promise<OpenAnswer[]> {
    const { identity } = subscriber.principal
    const subscriptions = queries.map(({ document }) =>
      isOpenable(document, identity) ? this.#readers.subscribe(subscriber, document) : null,
    )
    const answers: OpenAnswer[] = queries.map((query) => absent(query))
    let wanted = queries.flatMap((_, i) => (subscriptions[i] ? [i] : []))
    while (wanted.length > 0) {
      const readings = await this.#read(
        subscriber,
        wanted.map((i) => queries[i] as OpenQuery),
        wanted.map((i) => subscriptions[i] as Subscription),
      )
      // Nothing happens between here and the return: what was read is judged by what has happened since, all at once.
      const again: number[] = []
      for (const [at, i] of wanted.entries()) {
        const answer = this.#settle(
          subscriptions[i] as Subscription,
          readings[at] as Reading | null,
          queries[i] as OpenQuery,
        )
        if (answer) answers[i] = answer
        else again.push(i)
      }
      wanted = again
    }
    this.#goLive(subscriptions.filter((subscription) => subscription !== null))
    return answers
  }

  async answerStateVector(
    subscriber: Subscriber,
    document: string,
    stateVector: Uint8Array,
  ): Promise<
    { status: 'absent' } | { status: 'replaced' } | { status: 'news'; news: News; request: Uint8Array }
  > {
    const clocks = clocksOf(stateVector)
    const { identity, serviceSid } = subscriber.principal
    if (!isOpenable(document, identity)) return { status: 'absent' }
    // Membership first: `replaced`, or the time that loading takes, would tell a stranger that there is something.
    const [own] = await this.#options.store.points(serviceSid, identity, [document])
    const model = own ? await this.#committer.stored(serviceSid, document) : null
    const point = model ? resumePoint(model.head, clocks) : NOTHING
    if (point === null) return { status: 'replaced' }
    const [answer] = await this.open(subscriber, [{ document, pending: true, ...point }])
    if (!answer || answer.status === 'absent') {
      this.#readers.close(subscriber, document)
      return { status: 'absent' }
    }
    const request = answer.request ?? EMPTY_STATE_VECTOR
    if (answer.status === 'current')
      return { status: 'news', news: { point, updates: [], outcomes: [] }, request }
    if (answer.status === 'snapshot' && answer.replace) {
      this.#readers.close(subscriber, document)
      return { status: 'replaced' }
    }
    return { status: 'news', news: answer.news, request }
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────────────

  /** One reading per query, in order; null where the document changed its epoch under it. */
  async #read(
    { principal }: Subscriber,
    queries: readonly OpenQuery[],
    subscriptions: readonly Subscription[],
  ): Promise<(Reading | null)[]> {
    const { serviceSid, identity } = principal
    const points = new Map<string, DocumentPoint>()
    for (const point of await this.#options.store.points(
      serviceSid,
      identity,
      queries.map(({ document }) => document),
    )) {
      points.set(point.document, point)
    }
    const changed: Promise<void>[] = []
    const readings = queries.map((query, i): Reading | null => {
      const stored = points.get(query.document)
      if (!stored) return withoutDocument(query)
      if (isSame(query, stored) && !query.pending) {
        return {
          answer: { document: query.document, status: 'current', request: null },
          nextSeq: stored.seq,
          point: pointOf(stored),
        }
      }
      const reading = this.#readChanged(query, stored, subscriptions[i] as Subscription, identity, serviceSid)
      changed.push(
        reading.then((read) => {
          readings[i] = read
        }),
      )
      return null
    })
    await Promise.all(changed)
    return readings
  }

  async #readChanged(
    query: OpenQuery,
    stored: DocumentPoint,
    { audience }: Subscription,
    identity: string,
    serviceSid: string,
  ): Promise<Reading | null> {
    const { document } = query
    const { epochs } = audience
    if (epochs % 2 === 1) {
      await this.#committer.idle()
      return null
    }
    const model = await this.#committer.stored(serviceSid, document)
    if (!model || model.head.epoch !== stored.epoch) return null
    const request = query.pending ? model.stateVector(identity) : null
    const point = pointOf(stored)
    const reading = { nextSeq: stored.seq, point }
    if (isSame(query, stored)) return { ...reading, answer: { document, status: 'current', request } }

    const from = knownSeq(query, model.head, stored.seq)
    const tail = from === null ? null : await this.#options.store.log(stored.key, from, identity)
    let answer: OpenAnswer
    if (tail) {
      answer = { document, status: 'changes', news: newsOf(point, [], tail, stored.seq), request }
    } else {
      const replace = query.commitsId !== 0 && from === null
      answer = {
        document,
        status: 'snapshot',
        replace,
        ...(replace && isLost(query, model.head) && { lost: true as const }),
        news: await this.#everything(stored, identity, model.sealedAt),
        request,
      }
    }
    return audience.epochs === epochs ? { ...reading, answer } : null
  }

  /**
   * The newest snapshot and the commits after it, up to a point.
   * @param sealedAt when messages were sealed last: what is older than that still has their content
   */
  async #everything(stored: DocumentPoint, identity: string, sealedAt: number): Promise<News> {
    const { store } = this.#options
    for (;;) {
      const { snapshot, outbox } = await store.snapshot(stored.key, identity)
      // null: a compaction came between, and the newer snapshot says it
      const tail = await store.log(stored.key, snapshot?.seq ?? 0, identity)
      if (!tail) continue
      const first = [snapshot?.update, outbox].filter((update) => update != null)
      const news = newsOf(pointOf(stored), first, tail, stored.seq)
      // a relay that was started again doesn't know what was sealed before
      if (isWasteful(tail, news)) this.onStale(stored.key)
      if ((snapshot?.seq ?? 0) > sealedAt || news.updates.length < 2) return news
      this.onStale(stored.key)
      return { ...news, updates: [compactUpdates(news.updates)] }
    }
  }

  // ── settling ──────────────────────────────────────────────────────────────────────────────────────

  /** The answer, if what has happened meanwhile lets it stand; null to read again. */
  #settle(subscription: Subscription, reading: Reading | null, query: OpenQuery): OpenAnswer | null {
    if (subscription.state !== 'reading') return absent(query)
    const { held } = subscription
    const lost = held.findLastIndex(({ kind }) => kind === 'absent')
    const found = held.findLastIndex(({ kind }) => kind !== 'absent')
    if (lost > found) {
      subscription.state = 'absent'
      subscription.held = []
      return absent(query)
    }
    const isAbsent = reading?.answer.status === 'absent'
    const isNews = held.some((happening) => happening.kind === 'replaced' || isAbsent)
    if (!reading || lost >= 0 || isNews) {
      subscription.held = []
      return null
    }
    subscription.nextSeq = reading.nextSeq
    subscription.point = reading.point
    subscription.state = isAbsent ? 'absent' : 'answered'
    return reading.answer
  }

  /** After whoever asked has the answer, what was held back follows, and everything else from then on. */
  #goLive(subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return
    this.#options.defer(() => {
      for (const subscription of subscriptions) if (subscription.state === 'answered') live(subscription)
    })
  }

  /** Everything, for somebody who was let in while they had the document open as absent. */
  async #welcome(subscription: Subscription): Promise<void> {
    const { subscriber, audience, identity } = subscription
    const { serviceSid } = subscriber.principal
    const query: OpenQuery = { document: audience.document, pending: false, ...NOTHING }
    try {
      while (subscription.state === 'reading') {
        const [reading] = await this.#read(subscriber, [query], [subscription])
        const answer = this.#settle(subscription, reading as Reading | null, query)
        if (!answer) continue
        if (answer.status === 'snapshot' || answer.status === 'changes')
          subscriber.changes(audience.document, answer.news)
        if ((subscription as Subscription).state === 'answered') live(subscription)
        return
      }
    } catch (error) {
      // they resume as anybody whose connection was lost
      this.#options.logger.error(
        { err: error, document: audience.document, identity, serviceSid },
        'a reader could not be let in',
      )
      if (subscription.state === 'reading') becomeAbsent(subscription, [])
    }
  }
}

function live(subscription: Subscription): void {
  const { held, audience, subscriber } = subscription
  subscription.state = 'live'
  subscription.held = []
  for (const happening of held) deliver(subscription, happening)
  const present = audience.presence?.all(subscriber)
  if (present && subscription.state === 'live') subscriber.awareness(audience.document, present)
}

/** Documents that an identity may open at all: conversations, the own private document, profiles. */
export function isOpenable(document: string, identity: string): boolean {
  const name = parseDocumentName(document)
  return name !== null && (name.kind !== 'user' || document === userDocument(identity))
}

const absent = ({ document, pending }: OpenQuery): OpenAnswer => ({
  document,
  status: 'absent',
  request: pending ? EMPTY_STATE_VECTOR : null,
})

/** Nothing is stored, or nothing that this reader may know of. */
function withoutDocument(query: OpenQuery): Reading {
  const { document, pending, commitsId } = query
  const reading = { nextSeq: 0, point: NOTHING }
  if (parseDocumentName(document)?.kind === 'conversation') return { ...reading, answer: absent(query) }
  // a private document or a profile in which nobody has written yet is an empty one
  const request = pending ? EMPTY_STATE_VECTOR : null
  if (commitsId === 0) return { ...reading, answer: { document, status: 'current', request } }
  const news: News = { point: NOTHING, updates: [], outcomes: [] }
  return { ...reading, answer: { document, status: 'snapshot', replace: true, lost: true, news, request } }
}

const pointOf = ({ epoch, commitsId, clock }: DocumentPoint): ResumePoint => ({ epoch, commitsId, clock })

const isSame = (query: ResumePoint, stored: DocumentPoint): boolean =>
  query.commitsId === stored.commitsId && query.clock === stored.clock && query.epoch === stored.epoch

/** The sequence number of the first commit that a resume point lacks; null when the point isn't one of ours. */
function knownSeq(query: ResumePoint, head: Head, seq: number): number | null {
  if (query.commitsId === 0 || query.epoch !== head.epoch) return null
  const root = head.roots.find(({ root, client }) => root === 'commits' && client === query.commitsId)
  if (!root || query.clock > root.clock || query.clock < 1) return null
  const from = (root.base ?? 0) + query.clock
  return from <= seq ? from : null
}

/**
 * Whether a resume point is of no history that this document has had: the store was restored from a backup that is
 * older than it. One of an earlier epoch is known as long as that epoch's `commits` id is remembered.
 */
function isLost({ epoch, commitsId, clock }: ResumePoint, head: Head): boolean {
  if (epoch >= head.epoch) return true
  const retired = head.retired ?? []
  const known = retired.find(([client]) => client === commitsId)
  if (known) return clock > known[1]
  return retired.length < RETIRED
}

/** Where a state vector stands: at the newest `commits` id that it names. Null: it can't be continued. */
function resumePoint(head: Head, clocks: ReadonlyMap<number, number>): ResumePoint | null {
  const ids: RootId[] = head.roots.filter(({ root }) => root === 'commits')
  for (const { client, clock } of ids.reverse()) {
    const held = clocks.get(client) ?? 0
    if (held > clock) return null
    if (held > 0) return { epoch: head.epoch, commitsId: client, clock: held }
  }
  return head.retired?.some(([client]) => clocks.has(client)) ? null : NOTHING
}

function newsOf(point: ResumePoint, first: Uint8Array[], entries: readonly LogEntry[], until: number): News {
  const tail: Uint8Array[] = []
  const outcomes: Outcome[] = []
  for (const entry of entries) {
    if (entry.seq >= until) break
    tail.push(entry.update)
    for (const part of entry.private) {
      if (part.update.length > 0) tail.push(part.update)
      outcomes.push(...part.outcomes)
    }
  }
  return { point, updates: [...first, ...(tail.length > SEPARATE ? [compactUpdates(tail)] : tail)], outcomes }
}

/** Whether most of what was read of the log is in no document any more. */
function isWasteful(tail: readonly LogEntry[], { updates }: News): boolean {
  const bytesOf = (all: readonly Uint8Array[]) => all.reduce((sum, { length }) => sum + length, 0)
  const read = bytesOf(tail.map(({ update }) => update))
  return read > WASTED_BYTES && read > 4 * bytesOf(updates)
}

function clocksOf(stateVector: Uint8Array): Map<number, number> {
  try {
    return decodeStateVector(stateVector, STATE_VECTOR_CLIENTS)
  } catch (error) {
    if (error instanceof UpdateViolation) throw new ConfabError(70601, error.message, { cause: error })
    throw error
  }
}
