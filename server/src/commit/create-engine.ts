/** The engine put together: subscriptions, turns, opening, presence, compaction. */

import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import {
  admitUpdate,
  ConfabError,
  DEFAULT_LIMITS,
  inviteHash,
  inviteSecretBytes,
  normaliseIdentity,
  type Operation,
  type Outcome,
  ownsSid,
  parseDocumentName,
  readUpdate,
  type StateTransition,
  UpdateViolation,
} from '@confab/core'
import type { Engine, Principal, Subscriber, TakingIn, UploadAnswer } from '../engine.ts'
import type { Exported } from '../import/exported.ts'
import { emptyBook } from '../services/service-book.ts'
import { Committer } from './committer.ts'
import { Compactor } from './compactor.ts'
import { checkedImport, type Imported, takeIn } from './importing.ts'
import { answerAgainst, EMPTY_STATE_VECTOR, strangersKnowledge } from './judging.ts'
import type { Job, Lane } from './lane.ts'
import { isOpenable, Opening } from './opening.ts'
import { DEFAULT_SEALING, type EngineLogger, type EngineOptions, type EngineSettings } from './options.ts'
import { readMessages } from './read-messages.ts'
import { documentKey, presenceOf, Readers } from './readers.ts'
import { runIds } from './root-ids.ts'
import { Sealer } from './sealer.ts'
import { StateTimers } from './state-timers.ts'
import {
  type Author,
  boundsOf,
  isEntry,
  newWork,
  parseAll,
  queuedBehindRefused,
  strangersOutcomes,
} from './work.ts'

/** Milliseconds after which a device tries again what could not be taken. */
const RETRY_AFTER = 1000

const SILENT: EngineLogger = { info() {}, warn() {}, error() {} }

const DEFAULTS: Omit<EngineSettings, 'store'> = {
  limits: DEFAULT_LIMITS,
  book: emptyBook(),
  hooks: {},
  mediaChecked: false,
  now: Date.now,
  random: randomBytes,
  defer: (run) => void setImmediate(run),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds)
    timer.unref()
    return () => clearTimeout(timer)
  },
  logger: SILENT,
  hookDeadline: 5000,
  webhooks: null,
  deflate: promisify(deflate),
  idleAfter: 60_000,
  maxLoaded: 10_000,
  compactAfter: 512,
  sealing: DEFAULT_SEALING,
  epochInterval: 0,
}

/** Makes the relay's engine on a store. It reaches for nothing but what is given, or its defaults. */
export function createEngine(options: EngineOptions): Engine & TakingIn {
  const settings: EngineSettings = { ...DEFAULTS, ...definedOf(options), store: options.store }
  return new RelayEngine(settings)
}

function definedOf(options: EngineOptions): EngineOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as EngineOptions
}

class RelayEngine implements Engine, TakingIn {
  readonly #settings: EngineSettings
  readonly #readers = new Readers()
  readonly #committer: Committer
  readonly #opening: Opening
  readonly #compactor: Compactor
  readonly #sealer: Sealer | false
  readonly #timers: StateTimers
  /** Uploads of people who weren't known to belong, one after the other per document. */
  readonly #atTheDoor = new Map<string, Promise<unknown>>()
  #isDraining = false
  #sweeping = false

  constructor(settings: EngineSettings) {
    this.#settings = settings
    const ids = runIds(settings.random)
    this.#readers.draw = ids.draw
    this.#readers.isReachabilityTold = (serviceSid) =>
      settings.book.configuration(serviceSid).reachabilityEnabled !== false
    this.#committer = new Committer(settings, this.#readers, ids)
    this.#opening = new Opening(settings, this.#readers, this.#committer)
    const { sealing } = settings
    this.#compactor = new Compactor(settings, (sealing || DEFAULT_SEALING).settle ?? DEFAULT_SEALING.settle)
    this.#sealer = sealing && new Sealer(settings, { ...DEFAULT_SEALING, ...sealing }, this.#committer)
    this.#timers = new StateTimers(settings, ({ serviceSid, document, to, at }, operation) =>
      this.#submit(serviceSid, document, operation, 'timer', { to, at }),
    )
    this.#readers.onFailure = (error, document) =>
      settings.logger.error({ err: error, document }, 'a reader failed')
    this.#committer.onCommits = (commits) => {
      this.#compactor.committed(commits)
      if (this.#sealer) this.#sealer.committed(commits)
      this.#timers.committed(commits)
    }
    this.#committer.onUse = () => this.#sweep()
    this.#committer.beforeEpoch = (key) => this.#compactor.forget(key)
    this.#opening.onStale = (key) => this.#compactor.want(key)
    this.#timers.start()
    this.#compactor.start()
    if (this.#sealer) this.#sealer.start()
  }

  open: Engine['open'] = (subscriber, queries) => this.#opening.open(subscriber, queries)

  answerStateVector: Engine['answerStateVector'] = (subscriber, document, stateVector) =>
    this.#opening.answerStateVector(subscriber, document, stateVector)

  close(subscriber: Subscriber, documents: string[]): void {
    for (const document of documents) this.#readers.close(subscriber, document)
  }

  leave(subscriber: Subscriber): void {
    this.#readers.leave(subscriber)
  }

  // ── uploads ───────────────────────────────────────────────────────────────────────────────────────

  async upload(subscriber: Subscriber, document: string, update: Uint8Array): Promise<UploadAnswer> {
    if (this.#isDraining)
      return { kind: 'nack', error: new ConfabError(70502, 'The relay restarts'), retryAfter: RETRY_AFTER }
    const { principal } = subscriber
    const author: Author = { principal, identity: principal.identity, source: '' }
    const kind = parseDocumentName(document)?.kind
    const lane = this.#committer.peek(principal.serviceSid, document)
    const isIn =
      (kind === 'user' && isOpenable(document, principal.identity)) ||
      (kind === 'conversation' &&
        lane !== undefined &&
        // nobody overtakes themselves
        !this.#atTheDoor.has(lane.key) &&
        isKnownMember(lane, principal.identity))
    let answer: UploadAnswer
    try {
      answer =
        isIn && kind
          ? await this.#enqueue(
              this.#committer.lane(principal.serviceSid, document, kind),
              subscriber,
              author,
              update,
            )
          : await this.#knock(subscriber, author, document, update)
    } catch (error) {
      if (!(error instanceof ConfabError)) throw error
      // a turn that fails says so itself
      if (!isIn) this.#settings.logger.error({ err: error, document }, 'an upload could not be judged')
      // what a database says of its trouble is for the log
      const told = error.code === 70502 ? new ConfabError(70502) : error
      return { kind: 'nack', error: told, retryAfter: RETRY_AFTER }
    }
    // somebody who was just let in has the document before they hear that they were
    const subscription = this.#readers.find(subscriber, document)
    if (subscription?.welcome) await subscription.welcome
    return answer
  }

  #enqueue(lane: Lane, subscriber: Subscriber, author: Author, update: Uint8Array): Promise<UploadAnswer> {
    const isReader = () => {
      const subscription = this.#readers.find(subscriber, lane.document)
      return subscription !== undefined && (subscription.state !== 'absent' || subscription.welcome !== null)
    }
    return new Promise((answer, fail) =>
      this.#committer.enqueue(lane, { author, update, work: null, isReader, answer, fail }),
    )
  }

  /** An upload of somebody of whom it isn't known that they belong. */
  #knock(
    subscriber: Subscriber,
    author: Author,
    document: string,
    update: Uint8Array,
  ): Promise<UploadAnswer> {
    const key = documentKey(author.principal?.serviceSid ?? '', document)
    const before = this.#atTheDoor.get(key) ?? Promise.resolve()
    let entering: Promise<UploadAnswer> | null = null
    const judged = before.then(async () => {
      const answer = await this.#judgeStranger(subscriber, author, document, update)
      if ('kind' in answer) return answer
      entering = answer.entered
      // whoever comes next must find this one in the lane, not wait for its end
      return null
    })
    const settled = judged.catch(() => {})
    this.#atTheDoor.set(key, settled)
    void settled.then(() => {
      if (this.#atTheDoor.get(key) === settled) this.#atTheDoor.delete(key)
    })
    return judged.then((answer) => answer ?? (entering as unknown as Promise<UploadAnswer>))
  }

  async #judgeStranger(
    subscriber: Subscriber,
    author: Author,
    document: string,
    update: Uint8Array,
  ): Promise<UploadAnswer | { entered: Promise<UploadAnswer> }> {
    const { limits, store } = this.#settings
    const { identity } = author
    const serviceSid = author.principal?.serviceSid ?? ''
    const kind = parseDocumentName(document)?.kind
    // asked of everybody, so that it tells nothing by its time
    const [point] = await store.points(serviceSid, identity, [document])
    const enter = () => ({
      entered: this.#enqueue(
        this.#committer.lane(serviceSid, document, 'conversation'),
        subscriber,
        author,
        update,
      ),
    })
    const isOnTheWay = () => this.#committer.peek(serviceSid, document)?.hasWorkOf(identity)
    if (kind === 'conversation' && (point || isOnTheWay())) return enter()

    let admission: ReturnType<typeof admitUpdate>
    try {
      admission = admitUpdate(
        readUpdate(update, boundsOf(limits)),
        strangersKnowledge(identity, limits.pendingOperations),
      )
    } catch (error) {
      if (error instanceof UpdateViolation) return { kind: 'violation', message: error.message }
      throw error
    }
    if (admission.kind !== 'admitted') return answerAgainst(admission)
    if (admission.operations.length === 0) {
      return admission.missing
        ? { kind: 'request', stateVector: EMPTY_STATE_VECTOR }
        : { kind: 'taken', outcomes: [] }
    }
    const operations = parseAll(admission, limits)
    const first = operations.findIndex((parsed) => 'ok' in parsed)
    const operation = first < 0 ? null : (operations[first] as { ok: Operation }).ok
    if (kind !== 'conversation' || !operation || !isEntry(operation)) {
      return { kind: 'taken', outcomes: strangersOutcomes(operations, 0) }
    }
    if (operation.type === 'conversation.join') {
      // by the store's index of hashes: a guess never gets as far as the conversation, whether or not there is one
      const hash = inviteHash(inviteSecretBytes(operation.invite ?? ''))
      if (!(await store.hasInvite(serviceSid, document, hash)))
        return { kind: 'taken', outcomes: strangersOutcomes(operations, 0) }
    }
    if (operation.type === 'conversation.create' && !ownsSid(document, identity, operation.nonce)) {
      const forged: Outcome = {
        id: operation.id,
        verdict: 'refused',
        code: 20001,
        message: "The conversation's sid is not made from its creator and this nonce",
      }
      const behind = strangersOutcomes(operations, first + 1).map((outcome) =>
        outcome.verdict === 'later' ? queuedBehindRefused(outcome.id) : outcome,
      )
      return {
        kind: 'taken',
        outcomes: [...strangersOutcomes(operations.slice(0, first), 0), forged, ...behind],
      }
    }
    return enter()
  }

  async submit(serviceSid: string, document: string, operation: Operation, source: string): Promise<Outcome> {
    this.#refuseWhileDraining()
    const name = parseDocumentName(document)
    const isUser = name?.kind === 'user' && name.id === normaliseIdentity(name.id, this.#settings.limits)
    if (name?.kind !== 'conversation' && !isUser)
      throw new ConfabError(20001, 'Neither a conversation sid nor user/<identity>')
    const outcome = await this.#submit(serviceSid, document, operation, source)
    if (!outcome) throw new ConfabError(20500, 'An operation was left without an outcome')
    return outcome
  }

  /** @param due what a timer brings: there is no outcome when it has begun anew meanwhile */
  async #submit(
    serviceSid: string,
    document: string,
    operation: Operation,
    source: string,
    due: StateTransition | null = null,
  ): Promise<Outcome | undefined> {
    const author: Author = { principal: null, identity: '', source }
    const work = newWork(author, null, [{ ok: operation }])
    work.due = due
    const kind = parseDocumentName(document)?.kind ?? 'conversation'
    const lane = this.#committer.lane(serviceSid, document, kind)
    const answer = await new Promise<UploadAnswer>((answer, fail) => {
      const job: Job = { author, update: null, work, isReader: () => false, answer, fail }
      this.#committer.enqueue(lane, job)
    })
    return answer.kind === 'taken' ? answer.outcomes[0] : undefined
  }

  // ── what comes from elsewhere ─────────────────────────────────────────────────────────────────────

  async takeIn(serviceSid: string, exported: Exported): Promise<Imported> {
    this.#refuseWhileDraining()
    const { store } = this.#settings
    const { sid } = exported.record
    let imported: Imported = { messages: 0, people: 0, warnings: [] }
    await this.#committer.amend(serviceSid, sid, async (model, privately) => {
      const checked = await checkedImport(store, model, exported)
      imported = takeIn(model, checked, privately)
      return model.isDirty
    })
    return imported
  }

  attach: TakingIn['attach'] = async (serviceSid, document, { sid, messageSid }) => {
    this.#refuseWhileDraining()
    return this.#committer.amend(serviceSid, document, async (model) => {
      const [message] = await this.#settings.store.messages(model.head.key, [messageSid])
      if (!message) return false
      model.attach(sid, messageSid)
      return true
    })
  }

  #refuseWhileDraining(): void {
    if (this.#isDraining) throw new ConfabError(70502, 'The relay restarts')
  }

  // ── history ───────────────────────────────────────────────────────────────────────────────────────

  async page(
    { serviceSid, identity }: Principal,
    document: string,
    hash: string,
  ): Promise<Uint8Array | null> {
    const { store } = this.#settings
    if (parseDocumentName(document)?.kind !== 'conversation') return null
    // membership by the store: what a removal has committed counts at once
    const [point] = await store.points(serviceSid, identity, [document])
    return point ? store.page(point.key, hash) : null
  }

  reachabilityChanged(serviceSid: string): void {
    this.#readers.reachabilityChanged(serviceSid)
  }

  isOnline: Engine['isOnline'] = (serviceSid, identity) => this.#readers.isConnected(serviceSid, identity)

  readMessages: Engine['readMessages'] = (serviceSid, document, query) =>
    readMessages(this.#settings.store, serviceSid, document, query)

  // ── presence ──────────────────────────────────────────────────────────────────────────────────────

  awareness(subscriber: Subscriber, document: string, update: Uint8Array): void {
    const subscription = this.#readers.find(subscriber, document)
    if (!subscription || (subscription.state !== 'live' && subscription.state !== 'answered')) return
    // at a profile only the relay speaks
    if (subscription.audience.reachability !== null) return
    const { serviceSid } = subscriber.principal
    this.#committer
      .stored(serviceSid, document)
      .then((model) => {
        // gone, or lost it, in the meantime
        if (subscription.state !== 'live' && subscription.state !== 'answered') return
        const ownerOf = (client: number) =>
          model?.isRelayId(client) ? '' : model?.outboxClient(client)?.identity
        const { audience } = subscription
        this.#readers.tellPresence(
          audience,
          presenceOf(audience).receive(subscriber, update, ownerOf),
          subscriber,
        )
      })
      .catch((error) => this.#settings.logger.error({ err: error, document }, 'presence failed'))
  }

  get loaded(): number {
    return this.#committer.loaded
  }

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────

  async idle(): Promise<void> {
    await Promise.all(this.#atTheDoor.values())
    await this.#timers.idle()
    await this.#committer.idle()
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    this.#timers.stop()
    if (this.#sealer) await this.#sealer.stop()
    await this.idle()
    await this.#compactor.stop()
  }

  /** Documents leave memory when nobody has used them for a while. */
  #sweep(): void {
    if (this.#sweeping || this.#isDraining) return
    this.#sweeping = true
    const { idleAfter, after, now } = this.#settings
    after(idleAfter, () => {
      this.#sweeping = false
      this.#committer.evict(now() - idleAfter)
      if (this.#committer.loaded > 0) this.#sweep()
    })
  }
}

/** True only where memory says so; it may say nothing of a member. */
function isKnownMember(lane: Lane, identity: string): boolean {
  return lane.hasWorkOf(identity) || lane.model?.isMember(identity) === true
}
