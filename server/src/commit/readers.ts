/**
 * Who reads which document, and the fan-out: what a commit means for each reader, in the turn in which it was stored.
 */
import {
  type Outcome,
  parseDocumentName,
  profileDocument,
  type ResumePoint,
  userDocument,
} from '@confab/core'
import type { News, Subscriber } from '../engine.ts'
import type { DocumentCommit, PrivatePart } from '../store/store.ts'
import { Presence } from './presence.ts'

export const documentKey = (serviceSid: string, document: string): string => `${serviceSid} ${document}`

const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }

/** One reader of one document. */
export interface Subscription {
  readonly subscriber: Subscriber
  readonly audience: Audience
  readonly identity: string
  /**
   * `reading`: its answer is being read; `answered`: on its way; `live`; `absent`: not theirs (yet); `closed`.
   * News are held back until `live`.
   */
  state: 'reading' | 'answered' | 'live' | 'absent' | 'closed'
  held: Happening[]
  /** What it holds: commits before this sequence number, of this epoch. */
  nextSeq: number
  point: ResumePoint
  /** They came in by a commit of which they need more than the commit: resolves when they have it all. */
  welcome: Promise<void> | null
}

/** `seq`: of the commit (`changes`), or of the first one after it (`replaced`). */
type NewsOf = { kind: 'changes' | 'replaced'; seq: number; news: News }
export type Happening = NewsOf | { kind: 'absent'; outcomes: Outcome[] }

/** The readers of one document. */
export interface Audience {
  readonly key: string
  readonly document: string
  readonly subscriptions: Map<Subscriber, Subscription>
  /** Null until somebody says something of theirs. */
  presence: Presence | null
  /** A profile's: under which client id the relay says whether its person is connected. */
  readonly reachability: number | null
  /** Odd while the document is being given a new epoch: what is read then may be half of each. */
  epochs: number
}

/** What the fan-out asks of the document as it stands after the commit. */
export interface Published {
  readonly point: ResumePoint
  isReader(identity: string): boolean
}

export class Readers {
  readonly #audiences = new Map<string, Audience>()
  readonly #bySubscriber = new Map<Subscriber, Set<Audience>>()
  /** Brings everything to somebody who was let in. */
  welcomer: (subscription: Subscription) => Promise<void> = async () => {}
  onFailure: (error: unknown, document: string) => void = () => {}
  /** Whether people of the service are told who is connected. */
  isReachabilityTold: (serviceSid: string) => boolean = () => true
  /** A random client id, 32 bits, for what the relay says by awareness. */
  draw: () => number = () => 1

  audience(serviceSid: string, document: string): Audience | undefined {
    return this.#audiences.get(documentKey(serviceSid, document))
  }

  /** Whose a client id is, by its presence. */
  boundTo(key: string, client: number): string | undefined {
    return this.#audiences.get(key)?.presence?.boundTo(client)
  }

  find(subscriber: Subscriber, document: string): Subscription | undefined {
    return this.audience(subscriber.principal.serviceSid, document)?.subscriptions.get(subscriber)
  }

  /** A fresh subscription that is `reading`; one that stood before is closed without a word. */
  subscribe(subscriber: Subscriber, document: string): Subscription {
    const key = documentKey(subscriber.principal.serviceSid, document)
    let audience = this.#audiences.get(key)
    if (!audience) {
      audience = this.#newAudience(subscriber.principal.serviceSid, document, key)
      this.#audiences.set(key, audience)
      this.#tellReachability(subscriber, audience)
    }
    const before = audience.subscriptions.get(subscriber)
    if (before) before.state = 'closed'
    const subscription: Subscription = {
      subscriber,
      audience,
      identity: subscriber.principal.identity,
      state: 'reading',
      held: [],
      nextSeq: 0,
      point: NOTHING,
      welcome: null,
    }
    audience.subscriptions.set(subscriber, subscription)
    let audiences = this.#bySubscriber.get(subscriber)
    if (!audiences) {
      audiences = new Set()
      this.#bySubscriber.set(subscriber, audiences)
    }
    audiences.add(audience)
    return subscription
  }

  close(subscriber: Subscriber, document: string): void {
    const audience = this.audience(subscriber.principal.serviceSid, document)
    if (!audience) return
    this.#close(subscriber, audience)
    const audiences = this.#bySubscriber.get(subscriber)
    audiences?.delete(audience)
    if (audiences?.size === 0) this.#bySubscriber.delete(subscriber)
  }

  leave(subscriber: Subscriber): void {
    for (const audience of this.#bySubscriber.get(subscriber) ?? []) this.#close(subscriber, audience)
    this.#bySubscriber.delete(subscriber)
  }

  #close(subscriber: Subscriber, audience: Audience): void {
    const subscription = audience.subscriptions.get(subscriber)
    if (!subscription) return
    subscription.state = 'closed'
    subscription.held = []
    audience.subscriptions.delete(subscriber)
    if (audience.presence) tellPresence(audience, audience.presence.leave(subscriber), subscriber)
    if (audience.subscriptions.size > 0) return
    this.#audiences.delete(audience.key)
    this.#tellReachability(subscriber, audience)
  }

  // ── who is connected ──────────────────────────────────────────────────────────────────────────────

  /** Somebody is: whose own private document is open, as every client's is while it is connected. */
  isConnected(serviceSid: string, identity: string): boolean {
    return this.#audiences.has(documentKey(serviceSid, userDocument(identity)))
  }

  #newAudience(serviceSid: string, document: string, key: string): Audience {
    const name = parseDocumentName(document)
    const reachability = name?.kind === 'profile' ? this.draw() : null
    const audience: Audience = {
      key,
      document,
      subscriptions: new Map(),
      presence: null,
      reachability,
      epochs: 0,
    }
    if (name && reachability !== null && this.isReachabilityTold(serviceSid)) {
      presenceOf(audience).announce(reachability, { online: this.isConnected(serviceSid, name.id) })
    }
    return audience
  }

  /** Tells those who follow somebody's profile that they came or went. */
  #tellReachability({ principal }: Subscriber, { document }: Audience): void {
    const { serviceSid, identity } = principal
    if (document !== userDocument(identity)) return
    const profile = this.audience(serviceSid, profileDocument(identity))
    if (profile && this.isReachabilityTold(serviceSid)) this.#announce(serviceSid, profile, identity)
  }

  /** It was decided anew whether people of the service are told who is connected. */
  reachabilityChanged(serviceSid: string): void {
    for (const audience of this.#audiences.values()) {
      const name = parseDocumentName(audience.document)
      if (name && audience.key === documentKey(serviceSid, audience.document))
        this.#announce(serviceSid, audience, name.id)
    }
  }

  #announce(serviceSid: string, profile: Audience, identity: string): void {
    if (profile.reachability === null) return
    const state = this.isReachabilityTold(serviceSid)
      ? { online: this.isConnected(serviceSid, identity) }
      : null
    tellPresence(profile, presenceOf(profile).announce(profile.reachability, state), null)
  }

  // ── the fan-out ───────────────────────────────────────────────────────────────────────────────────

  /** Tells everybody what a stored commit means for them. Gives how many they are. */
  publish(commit: DocumentCommit, document: Published): number {
    const audience = this.#audiences.get(documentKey(commit.head.serviceSid, commit.head.document))
    if (!audience) return 0
    const seq = commit.expectedSeq
    const { update, private: parts } = commit.entry
    const common: News = { point: document.point, updates: [update], outcomes: [] }
    const own = new Map(parts.map((part) => [part.identity, part]))
    // one for all: sessions encode the same news once
    const told: NewsOf = { kind: 'changes', seq, news: common }
    this.#forEach(audience, (subscription) => {
      const part = own.get(subscription.identity)
      if (commit.deleted || !document.isReader(subscription.identity)) {
        this.#lose(subscription, part?.outcomes ?? [])
      } else {
        this.#tell(subscription, part ? { kind: 'changes', seq, news: newsWith(common, part) } : told)
      }
    })
    return audience.subscriptions.size
  }

  /** A reader that fails is let go of, and the others hear of everything. */
  #forEach(audience: Audience, tell: (subscription: Subscription) => void): void {
    for (const subscription of [...audience.subscriptions.values()]) {
      try {
        tell(subscription)
      } catch (error) {
        this.#close(subscription.subscriber, audience)
        this.onFailure(error, audience.document)
      }
    }
  }

  /** Tells everybody that the document goes on in another. */
  publishEpoch(commit: DocumentCommit, document: Published): void {
    const audience = this.#audiences.get(documentKey(commit.head.serviceSid, commit.head.document))
    if (!audience || !commit.epoch) return
    const { snapshot } = commit.epoch
    const news: News = { point: document.point, updates: [snapshot.update], outcomes: [] }
    for (const subscription of [...audience.subscriptions.values()]) {
      if (subscription.state !== 'absent')
        this.#tell(subscription, { kind: 'replaced', seq: snapshot.seq, news })
    }
  }

  #tell(subscription: Subscription, happening: NewsOf): void {
    const { state, held } = subscription
    if (state === 'live') deliver(subscription, happening)
    else if (state === 'absent') this.#letIn(subscription, happening)
    else if (state !== 'closed') held.push(happening)
  }

  /** Somebody who had the document open without being a reader has become one. */
  #letIn(subscription: Subscription, happening: NewsOf): void {
    if (happening.seq === 0) {
      // just created: the commit is all there is
      subscription.state = 'live'
      deliver(subscription, happening)
      return
    }
    subscription.state = 'reading'
    subscription.held = []
    subscription.welcome = this.welcomer(subscription).finally(() => {
      subscription.welcome = null
    })
  }

  #lose(subscription: Subscription, outcomes: Outcome[]): void {
    const { subscriber, audience, state } = subscription
    if (state === 'absent' || state === 'closed') return
    if (audience.presence) tellPresence(audience, audience.presence.leave(subscriber), subscriber)
    // its answer is still being read: it will be `absent`
    if (state === 'reading') subscription.held.push({ kind: 'absent', outcomes })
    else becomeAbsent(subscription, outcomes)
  }

  /** Whom a presence update is for. */
  tellPresence(audience: Audience, update: Uint8Array | null, from: Subscriber): void {
    tellPresence(audience, update, from)
  }
}

/** Made when it is needed: who resumes a thousand quiet documents says nothing in most of them. */
export function presenceOf(audience: Audience): Presence {
  audience.presence ??= new Presence()
  return audience.presence
}

/** No byte of the document follows; outcomes of the reader's own operations do. */
export function becomeAbsent(subscription: Subscription, outcomes: Outcome[]): void {
  const { subscriber, audience, point } = subscription
  subscription.state = 'absent'
  subscription.held = []
  if (outcomes.length > 0) subscriber.changes(audience.document, { point, updates: [], outcomes })
  subscriber.absent(audience.document)
}

/** Delivers in order: what the reader has already is passed over. */
export function deliver(subscription: Subscription, happening: Happening): void {
  const { subscriber, audience } = subscription
  if (happening.kind === 'absent') {
    becomeAbsent(subscription, happening.outcomes)
    return
  }
  const { news, seq, kind } = happening
  if (kind === 'replaced') {
    if (news.point.epoch <= subscription.point.epoch) return
    subscription.nextSeq = seq
    subscription.point = news.point
    subscriber.replaced(audience.document, news)
    return
  }
  const isOld = news.point.epoch < subscription.point.epoch
  if (isOld || (news.point.epoch === subscription.point.epoch && seq < subscription.nextSeq)) return
  subscription.nextSeq = seq + 1
  subscription.point = news.point
  subscriber.changes(audience.document, news)
}

function newsWith({ point, updates }: News, { update, outcomes }: PrivatePart): News {
  return { point, updates: update.length > 0 ? [...updates, update] : updates, outcomes }
}

function tellPresence(audience: Audience, update: Uint8Array | null, from: Subscriber | null): void {
  if (!update) return
  for (const { subscriber, state } of audience.subscriptions.values()) {
    if (state === 'live' && subscriber !== from) subscriber.awareness(audience.document, update)
  }
}
