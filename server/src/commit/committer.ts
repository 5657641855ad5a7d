/**
 * Turns: everything that waits is judged and decided together, stored by one transaction, then told to everybody in
 * the same turn of the event loop. A document whose hook hasn't answered sits turns out; the others don't wait.
 *
 * Longer than two screens: one turn's steps, in their order, over the one table of lanes that they share.
 */
import {
  admitUpdate,
  ConfabError,
  type DocumentKind,
  postOf,
  profileDocument,
  readUpdate,
  UpdateViolation,
} from '@confab/core'
import type { UploadAnswer } from '../engine.ts'
import type { CommittedOperation } from '../hooks.ts'
import type { DecidedOperation, DocumentCommit } from '../store/store.ts'
import type { QueuedEvent } from '../webhooks/queue.ts'
import {
  decideWork,
  type HookName,
  hookAnswered,
  hookFailed,
  type LastWord,
  type Progress,
  type Scene,
} from './decide-work.ts'
import { DocumentModel, type WriterPool } from './document.ts'
import { answerAgainst, EMPTY_STATE_VECTOR, type Judged, stands, strangersKnowledge } from './judging.ts'
import { type Change, type Job, Lane } from './lane.ts'
import { Lookups } from './lookups.ts'
import type { EngineSettings } from './options.ts'
import { PrivateChanges } from './private-changes.ts'
import { documentKey, type Readers } from './readers.ts'
import type { RunIds } from './root-ids.ts'
import { ownerOf, profileNamedBy } from './user-state.ts'
import { boundsOf, idOf, newWork, parseAll, takeDecided, type Work } from './work.ts'

/** A job that was decided to its end in this turn, and what its author is told once it is stored. */
interface Ended {
  lane: Lane
  job: Job
  work: Work
}

const ORDER: Record<DocumentKind, number> = { profile: 0, user: 1, conversation: 2 }
/** Operations that are decided on the message whose sid they have. */
const NAMES_A_MESSAGE: ReadonlySet<string> = new Set([
  'message.edit',
  'message.remove',
  'message.report',
  'message.restore',
])

/** Readers up to whom a conversation's commits are decided as they come. */
const FEW_READERS = 16
/** Milliseconds between two commits for each reader beyond, so that telling them takes a small part of the CPU. */
const PACE = 0.24
/** Milliseconds between two commits, at most. */
const SLOWEST = 50

export class Committer {
  readonly #options: EngineSettings
  readonly #readers: Readers
  readonly #run: RunIds
  readonly #writers: WriterPool = []
  readonly #lanes = new Map<string, Lane>()
  readonly #ready = new Set<Lane>()
  /** Lanes that let more come before their next turn. */
  readonly #pacing = new Set<Lane>()
  #scheduled = false
  #running = false
  #waiting = 0
  #idle: (() => void)[] = []
  /** Told of commits, for compaction. */
  onCommits: (commits: readonly DocumentCommit[]) => void = () => {}
  /** Told whenever a document is used: it will have to leave memory again. */
  onUse: () => void = () => {}
  /** Nothing else may change the stored document while it is given a new epoch. */
  beforeEpoch: (key: number) => Promise<void> = async () => {}

  constructor(options: EngineSettings, readers: Readers, run: RunIds) {
    this.#options = options
    this.#readers = readers
    this.#run = run
  }

  // ── documents in memory ───────────────────────────────────────────────────────────────────────────

  /** The document's lane if it has one; reading it doesn't make one. */
  peek(serviceSid: string, document: string): Lane | undefined {
    return this.#lanes.get(documentKey(serviceSid, document))
  }

  get loaded(): number {
    return this.#lanes.size
  }

  lane(serviceSid: string, document: string, kind: DocumentKind): Lane {
    const key = documentKey(serviceSid, document)
    let lane = this.#lanes.get(key)
    if (!lane) lane = new Lane(key, serviceSid, document, kind)
    else this.#lanes.delete(key)
    // the order of the map is the order of use
    this.#lanes.set(key, lane)
    lane.lastUsed = this.#options.now()
    this.onUse()
    return lane
  }

  /** The document as it is stored, for reading: null when there is none. Kept in memory for the next who asks. */
  async stored(serviceSid: string, document: string): Promise<DocumentModel | null> {
    const before = this.peek(serviceSid, document)
    if (before?.model && !before.inTurn) return before.model.head.key === 0 ? null : before.model
    const loaded = await this.#options.store.load(serviceSid, document)
    if (!loaded) return null
    const model = new DocumentModel(loaded, this.#run, this.#writers)
    const lane = this.lane(serviceSid, document, loaded.head.kind)
    // not when a turn has begun meanwhile: it has loaded the document for itself, and may be ahead
    if (!lane.model && !lane.inTurn) lane.model = model
    return model
  }

  /** Lets go of documents that nobody has used since then, and of the least used beyond the bound. */
  evict(before: number): void {
    for (const [key, lane] of this.#lanes) {
      const tooMany = this.#lanes.size > this.#options.maxLoaded
      // used later than now: the clock was set back
      if (!tooMany && lane.lastUsed >= before && lane.lastUsed <= this.#options.now()) break
      if (lane.isIdle) this.#lanes.delete(key)
    }
  }

  /** The document between two turns, as it is stored; null when there is none. Begins to note which messages change. */
  async watched(serviceSid: string, document: string): Promise<DocumentModel | null> {
    for (;;) {
      const lane = this.lane(serviceSid, document, 'conversation')
      if (lane.inTurn) await new Promise<void>((resolve) => lane.afterTurn.push(resolve))
      else if (!lane.model) {
        if (!(await this.stored(serviceSid, document))) return null
      } else if (lane.model.head.key === 0 || lane.model.head.deleted) return null
      else {
        lane.model.watch()
        return lane.model
      }
    }
  }

  /**
   * Changes a document that was watched, in a commit of its own at the beginning of a turn. False: it isn't that
   * document any more (it was loaded again, or has another epoch), or there was nothing to change.
   */
  change(model: DocumentModel, epoch: number, apply: () => boolean): Promise<boolean> {
    const { serviceSid, document } = model.head
    return this.#changed(serviceSid, document, { read: { model, epoch }, apply })
  }

  /**
   * Changes a conversation as it is stored, or makes it, in a commit of its own at the beginning of a turn, people's
   * lists in the same transaction. False: there was nothing to change.
   */
  amend(serviceSid: string, document: string, apply: Change['apply']): Promise<boolean> {
    return this.#changed(serviceSid, document, { read: null, apply })
  }

  #changed(serviceSid: string, document: string, change: Pick<Change, 'read' | 'apply'>): Promise<boolean> {
    const lane = this.lane(serviceSid, document, 'conversation')
    return new Promise((done, fail) => {
      lane.changes.push({ ...change, done, fail })
      this.#ready.add(lane)
      this.#schedule()
    })
  }

  async #load(lane: Lane): Promise<void> {
    if (lane.model) return
    const { serviceSid, document, kind } = lane
    const loaded = await this.#options.store.load(serviceSid, document)
    lane.model = loaded
      ? new DocumentModel(loaded, this.#run, this.#writers)
      : DocumentModel.fresh(serviceSid, document, kind, this.#run, this.#writers)
  }

  // ── turns ─────────────────────────────────────────────────────────────────────────────────────────

  enqueue(lane: Lane, job: Job): void {
    lane.queue.push(job)
    this.#wake(lane)
  }

  /** Resolves when nothing is waiting, running or being asked of a hook. */
  idle(): Promise<void> {
    if (!this.#isBusy) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  get #isBusy(): boolean {
    return this.#scheduled || this.#running || this.#waiting > 0 || this.#pacing.size > 0
  }

  #wake(lane: Lane): void {
    if (!lane.isWaiting) {
      if (this.#pacing.has(lane)) return
      const left = lane.nextTurnAt - this.#options.now()
      // longer than ever: the clock was set back
      if (left > 0 && left <= SLOWEST) {
        this.#pace(lane, left)
        return
      }
      this.#ready.add(lane)
    }
    this.#schedule()
  }

  /** What comes meanwhile makes one commit with it, told to everybody at once. */
  #pace(lane: Lane, milliseconds: number): void {
    this.#pacing.add(lane)
    this.#options.after(milliseconds, () => {
      this.#pacing.delete(lane)
      if (!lane.isWaiting) this.#ready.add(lane)
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#running) return
    this.#scheduled = true
    this.#options.defer(() => {
      this.#scheduled = false
      void this.#turn()
    })
  }

  async #turn(): Promise<void> {
    this.#running = true
    const lanes = [...this.#ready]
    this.#ready.clear()
    for (const lane of lanes) lane.inTurn = true
    const involved = new Set(lanes)
    const ended: Ended[] = []
    try {
      await this.#take(lanes, involved, ended)
    } catch (error) {
      this.#fail(involved, ended, error)
    }
    for (const lane of involved) {
      lane.inTurn = false
      for (const resolve of lane.afterTurn.splice(0)) resolve()
    }
    this.#running = false
    for (const lane of involved) {
      // what turned out not to exist takes no memory
      if (lane.isIdle && lane.model?.head.key === 0) this.#lanes.delete(lane.key)
    }
    for (const lane of involved) if ((lane.hasWork && !lane.isWaiting) || lane.epochDue) this.#wake(lane)
    this.evict(Number.NEGATIVE_INFINITY)
    if (this.#ready.size > 0) this.#schedule()
    if (!this.#isBusy) {
      const idle = this.#idle
      this.#idle = []
      for (const resolve of idle) resolve()
    }
  }

  async #take(lanes: Lane[], involved: Set<Lane>, ended: Ended[]): Promise<void> {
    const unloaded = lanes.filter(({ model }) => !model)
    if (unloaded.length > 0) await Promise.all(unloaded.map((lane) => this.#load(lane)))
    for (const lane of lanes) {
      while (lane.changes.length > 0) await this.#change(lane, involved)
      // one that had to wait is due when somebody comes: who has too many client ids comes again and again
      if (this.#isEpochDue(lane)) lane.epochDue = true
      if (lane.epochDue && lane.works.length === 0) await this.#openEpoch(lane)
    }

    for (const lane of lanes) this.#judge(lane)
    const lookups = new Lookups(this.#options.store)
    const decided = await this.#fetch(lanes, lookups, involved)

    const privately = new PrivateChanges()
    const now = this.#options.now()
    for (const lane of lanes) {
      this.#decide(lane, lookups, decided.get(lane) ?? new Map(), privately, now, ended)
    }
    await this.#writePrivate(privately, involved)

    const { webhooks } = this.#options
    const accepted = webhooks ? committedNow(lanes, ended) : []
    const events = webhooks?.eventsFor(accepted) ?? []
    const { commits, committed } = await this.#store(involved, events)
    webhooks?.stored(accepted, events)
    this.#tell(commits, committed, ended)
  }

  /** Everything that is changed in these, in one transaction. */
  async #store(
    involved: ReadonlySet<Lane>,
    events: readonly QueuedEvent[] = [],
  ): Promise<{ commits: DocumentCommit[]; committed: Lane[] }> {
    const commits: DocumentCommit[] = []
    const committed: Lane[] = []
    // Profiles first: whoever changed theirs has it before they hear that the change was accepted. Then private
    // documents: who is removed hears it of their own list before they lose the conversation.
    const inOrder = [...involved].sort((a, b) => ORDER[a.kind] - ORDER[b.kind])
    for (const lane of inOrder) {
      const commit = lane.model?.finish()
      if (!commit) continue
      commits.push(commit)
      committed.push(lane)
    }
    if (commits.length > 0) {
      // all of them are one transaction
      if (events.length > 0) (commits.at(-1) as DocumentCommit).events = events
      const keys = await this.#options.store.commit(commits)
      let made = 0
      for (const lane of committed) {
        const { head } = lane.model as DocumentModel
        if (head.key === 0) head.key = keys[made++] as number
      }
    }
    return { commits, committed }
  }

  /** What the relay changes by itself, in a transaction of its own; nothing else of this turn is in the model yet. */
  async #change(lane: Lane, involved: Set<Lane>): Promise<void> {
    const { read, apply, done, fail } = lane.changes.shift() as Change
    const model = lane.model as DocumentModel
    if (read && (model !== read.model || model.head.epoch !== read.epoch)) return done(false)
    const privately = new PrivateChanges()
    const own = new Set([lane])
    try {
      if (!(await apply(model, privately))) return done(false)
    } catch (error) {
      fail(error)
      if (model.isDirty) throw error
      return
    }
    try {
      await this.#writePrivate(privately, own)
      const { commits, committed } = await this.#store(own)
      this.#tell(commits, committed, [])
      done(commits.length > 0)
    } catch (error) {
      fail(error)
      throw error
    } finally {
      for (const one of own) involved.add(one)
    }
  }

  // ── judging ───────────────────────────────────────────────────────────────────────────────────────

  /** Judges what is queued, as far as it can be before what is ahead of it was decided. */
  #judge(lane: Lane): void {
    if (lane.isWaiting) return
    while (lane.queue.length > 0) {
      const job = lane.queue[0] as Job
      const isStranger = job.update !== null && !(lane.model as DocumentModel).isMember(job.author.identity)
      // what is ahead may let them in
      if (isStranger && lane.works.length > 0) return
      lane.queue.shift()
      if (job.update !== null && !this.#admit(lane, job, job.update, isStranger)) continue
      lane.works.push(job)
      if (isStranger) return
    }
  }

  /** False: it has its answer. */
  #admit(lane: Lane, job: Job, update: Uint8Array, isStranger: boolean): boolean {
    const { identity } = job.author
    const { limits } = this.#options
    const admission = this.#admission(lane, identity, update, isStranger)
    if (admission.kind !== 'admitted') {
      job.answer(answerAgainst(admission))
      return false
    }
    // one that brings nothing new waits its turn too: what it repeats may be about to be stored
    job.work = newWork(job.author, admission, parseAll(admission, limits), isStranger ? { update } : null)
    if (!isStranger) lane.judged(identity, admission.clients)
    return true
  }

  #admission(lane: Lane, identity: string, update: Uint8Array, isStranger: boolean): Judged {
    const { limits } = this.#options
    try {
      const parsed = readUpdate(update, boundsOf(limits))
      const knowledge = isStranger
        ? strangersKnowledge(identity, limits.pendingOperations)
        : lane.knowledge(identity, limits, (client) => this.#readers.boundTo(lane.key, client))
      const admission = admitUpdate(parsed, knowledge)
      const isOfEarlierEpoch =
        admission.kind === 'violation' && parsed.blocks.some(({ client }) => lane.model?.isRetired(client))
      return isOfEarlierEpoch && !isStranger ? { kind: 'replaced' } : admission
    } catch (error) {
      if (error instanceof UpdateViolation) return { kind: 'violation', message: error.message }
      throw error
    }
  }

  /** Loads what the operations to be decided name. */
  async #fetch(
    lanes: readonly Lane[],
    lookups: Lookups,
    involved: Set<Lane>,
  ): Promise<Map<Lane, Map<string, DecidedOperation>>> {
    const { store } = this.#options
    const decided = new Map<Lane, Map<string, DecidedOperation>>()
    const fetching: Promise<unknown>[] = []
    for (const lane of lanes) {
      if (lane.isWaiting) continue
      const model = lane.model as DocumentModel
      const ids: string[] = []
      let sids: Set<string> | null = null
      for (const { work, author } of lane.works) {
        if (!work) continue
        for (let i = work.next; i < work.operations.length; i++) {
          const parsed = work.operations[i] as Work['operations'][number]
          const id = idOf(parsed)
          if (id !== null) ids.push(id)
          if (!('ok' in parsed)) continue
          const amended = i === work.next && work.hook?.stage === 'agreed' ? work.hook.operation : parsed.ok
          if (NAMES_A_MESSAGE.has(amended.type) && 'sid' in amended) {
            sids ??= new Set()
            sids.add(amended.sid)
          }
          if (amended.type === 'message.restore' || amended.type === 'message.remove')
            ids.push(postOf(amended.sid))
          lookups.want(lane.serviceSid, author.identity, amended)
          const profile = lane.kind === 'user' ? profileNamedBy(amended, ownerOf(lane.document)) : null
          if (profile !== null) fetching.push(this.#involve(lane.serviceSid, profile, involved))
        }
      }
      const { key } = model.head
      if (ids.length === 0) continue
      const known = new Map<string, DecidedOperation>()
      decided.set(lane, known)
      if (key === 0) continue
      fetching.push(
        store.decided(key, ids).then((found) => {
          for (const operation of found) known.set(operation.id, operation)
        }),
      )
      if (sids) fetching.push(store.messages(key, [...sids]).then((found) => model.know(found)))
    }
    const looking = lookups.fetched()
    if (looking) fetching.push(looking)
    if (fetching.length > 0) await Promise.all(fetching)
    return decided
  }

  /** A profile changes with the operation that is its cause, in the same transaction. */
  #involve(serviceSid: string, identity: string, involved: Set<Lane>): Promise<void> {
    const lane = this.lane(serviceSid, profileDocument(identity), 'profile')
    const isNew = !involved.has(lane)
    involved.add(lane)
    lane.inTurn = true
    return isNew ? this.#load(lane) : Promise.resolve()
  }

  // ── deciding ──────────────────────────────────────────────────────────────────────────────────────

  #decide(
    lane: Lane,
    lookups: Lookups,
    decided: Map<string, DecidedOperation>,
    privately: PrivateChanges,
    now: number,
    ended: Ended[],
  ): void {
    const model = lane.model as DocumentModel
    const { limits, book, hooks } = this.#options
    const scene: Scene = {
      authorize: hooks.authorize && ((request) => hooks.authorize?.(request)),
      lastWords: this.#lastWords(),
      mediaChecked: this.#options.mediaChecked,
      model,
      lookups,
      decided,
      limits,
      book,
      now,
      profileOf: (identity) => this.peek(lane.serviceSid, profileDocument(identity))?.model as DocumentModel,
      admitStranger: (work) => this.#admitStranger(lane, work),
      refused: (identity, refusal) => privately.refusal(lane.serviceSid, identity, refusal),
      directory: (change) => privately.directory(lane.serviceSid, change),
      failed: (error, what) =>
        this.#options.logger.error({ err: error, document: lane.document }, `${what} failed`),
    }
    while (!lane.isWaiting && lane.works.length > 0) {
      const job = lane.works[0] as Job
      const work = job.work as Work
      if (stands(work, model)) {
        const progress = decideWork(work, scene)
        this.#settle(work, model)
        if (progress.kind === 'again') return
        if (progress.kind === 'wait') {
          this.#await(lane, work, progress)
          return
        }
      } else {
        // something it builds on was turned away
        work.answer = { kind: 'request', stateVector: model.stateVector(work.author.identity) }
      }
      lane.works.shift()
      ended.push({ lane, job, work })
    }
    if (lane.works.length === 0) lane.forgetJudged()
  }

  #lastWords(): LastWord[] {
    const { hooks, webhooks, hookDeadline: deadline } = this.#options
    const words: LastWord[] = []
    if (hooks.beforeCommit) words.push({ ask: (request) => hooks.beforeCommit?.(request), deadline })
    if (webhooks?.lastWord) words.push(webhooks.lastWord)
    return words
  }

  /** The decided part of a work becomes the document's: its items as deleted, its clocks as known. */
  #settle(work: Work, model: DocumentModel): void {
    if (work.stranger) return
    const decided = takeDecided(work)
    if (decided && decided.structs.length > 0)
      model.settle(work.author.identity, decided.structs, decided.clients)
  }

  /** A stranger's first operation lets them in: now their update is judged on what is really there. */
  #admitStranger(lane: Lane, work: Work): boolean {
    const { update } = work.stranger as { update: Uint8Array }
    const current = work.admission?.operations[work.next]
    const admission = this.#admission(lane, work.author.identity, update, false)
    if (admission.kind !== 'admitted') {
      work.answer = answerAgainst(admission)
      return false
    }
    const at = admission.operations.findIndex(
      ({ client, clock }) => client === current?.client && clock === current.clock,
    )
    if (at < 0) {
      // the item is known and was decided; another operation under its id is not taken for it
      work.answer = {
        kind: 'request',
        stateVector: (lane.model as DocumentModel).stateVector(work.author.identity),
      }
      return false
    }
    work.operations = parseAll(admission, this.#options.limits)
    work.admission = admission
    work.next = at
    work.stranger = null
    return true
  }

  #await(lane: Lane, work: Work, progress: Extract<Progress, { kind: 'wait' }>): void {
    const { after, limits, logger } = this.#options
    const deadline = progress.deadline ?? this.#options.hookDeadline
    const { life } = lane
    const failed = (error: unknown, what: string) =>
      logger.error({ err: error, document: lane.document }, `${what} failed`)
    lane.isWaiting = true
    this.#waiting++
    let isOver = false
    const go = (take: () => void) => {
      if (isOver) return
      isOver = true
      cancel()
      this.#waiting--
      if (lane.life === life) {
        take()
        lane.isWaiting = false
      }
      this.#wake(lane)
    }
    const cancel = after(deadline, () =>
      go(() =>
        hookFailed(work, { failed }, progress.hook, new ConfabError(70302, `no answer in ${deadline} ms`)),
      ),
    )
    Promise.resolve(progress.for).then(
      (answer) => go(() => void hookAnswered(work, { limits, failed }, progress.hook as HookName, answer)),
      (error) => go(() => hookFailed(work, { failed }, progress.hook, error)),
    )
  }

  // ── storing and telling ───────────────────────────────────────────────────────────────────────────

  /** Private documents change with the commit that is their cause, in the same transaction. */
  async #writePrivate(privately: PrivateChanges, involved: Set<Lane>): Promise<void> {
    if (privately.isEmpty) return
    const lanes = [...privately.byDocument.values()].map((changes) => ({
      changes,
      lane: this.lane(changes.serviceSid, changes.document, 'user'),
    }))
    for (const { lane } of lanes) {
      involved.add(lane)
      lane.inTurn = true
    }
    await Promise.all(lanes.map(({ lane }) => this.#load(lane)))
    for (const { lane, changes } of lanes) {
      const model = lane.model as DocumentModel
      for (const change of changes.directory.values()) {
        if (change.type === 'directory.put') model.putDirectory(change.record)
        else model.deleteDirectory(change.conversationSid, changes.entered.has(change.conversationSid))
      }
      for (const refusal of changes.refusals) model.putRefusal(refusal)
    }
  }

  #tell(commits: readonly DocumentCommit[], lanes: readonly Lane[], ended: readonly Ended[]): void {
    for (const [i, commit] of commits.entries()) {
      const lane = lanes[i] as Lane
      const model = lane.model as DocumentModel
      const readers = this.#readers.publish(commit, {
        point: model.point,
        isReader: (identity) => isReader(model, identity),
      })
      if (readers > FEW_READERS)
        lane.nextTurnAt = this.#options.now() + Math.min(SLOWEST, (readers - FEW_READERS) * PACE)
      if (this.#isEpochDue(lane)) lane.epochDue = true
    }
    const committed: CommittedOperation[] = []
    for (const { lane, job, work } of ended) {
      this.#answer(lane, job, work)
      for (const operation of work.committed) committed.push(operation)
    }
    // works that wait for a hook have committed operations too
    for (const lane of lanes) {
      for (const { work } of lane.works) if (work) committed.push(...work.committed.splice(0))
    }
    this.#afterCommit(committed)
    if (commits.length > 0) this.onCommits(commits)
  }

  #answer(lane: Lane, job: Job, work: Work): void {
    job.answer(work.answer ?? this.#answerOf(lane, job, work))
  }

  #answerOf(lane: Lane, job: Job, work: Work): UploadAnswer {
    if (work.admission?.missing && work.untold.length === 0) {
      const model = lane.model as DocumentModel
      return {
        kind: 'request',
        stateVector: work.stranger ? EMPTY_STATE_VECTOR : model.stateVector(job.author.identity),
      }
    }
    return { kind: 'taken', outcomes: job.isReader() ? work.untold : work.outcomes }
  }

  #afterCommit(committed: readonly CommittedOperation[]): void {
    const { hooks, logger } = this.#options
    if (!hooks.afterCommit) return
    for (const operation of committed) {
      const failed = (error: unknown) =>
        logger.error({ err: error, conversation: operation.conversationSid }, 'afterCommit failed')
      try {
        Promise.resolve(hooks.afterCommit(operation)).catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  }

  /** Nothing of this turn was shown to anybody: what is in memory is dropped, and devices bring it again. */
  #fail(involved: ReadonlySet<Lane>, ended: readonly Ended[], cause: unknown): void {
    this.#options.logger.error({ err: cause }, 'a turn could not be stored')
    const error =
      cause instanceof ConfabError && cause.code === 70502
        ? cause
        : new ConfabError(70502, undefined, { cause })
    for (const { job } of ended) job.fail(error)
    for (const lane of involved) {
      lane.model = null
      lane.life++
      lane.isWaiting = false
      lane.forgetJudged()
      for (const { read, done, fail } of lane.changes.splice(0)) read ? done(false) : fail(error)
      const jobs = [...lane.works, ...lane.queue.splice(0)]
      lane.works = []
      for (const job of jobs) job.fail(error)
    }
  }

  // ── epochs ────────────────────────────────────────────────────────────────────────────────────────

  #isEpochDue(lane: Lane): boolean {
    const { limits, now, epochInterval } = this.#options
    if (!lane.model?.epochDue(limits.outboxClients)) return false
    const left = lane.nextEpochAt - now()
    // longer than ever: the clock was set back
    return left <= 0 || left > epochInterval
  }

  async #openEpoch(lane: Lane): Promise<void> {
    const model = lane.model as DocumentModel
    const { store, now, epochInterval } = this.#options
    lane.epochDue = false
    if (!model.epochDue(this.#options.limits.outboxClients)) return
    lane.nextEpochAt = now() + epochInterval
    const audience = this.#readers.audience(lane.serviceSid, lane.document)
    if (audience) audience.epochs++
    try {
      await this.beforeEpoch(model.head.key)
      const messages = await store.liveMessages(model.head.key, Number.MAX_SAFE_INTEGER)
      const commit = model.newEpoch(messages)
      await store.commit([commit])
      this.#readers.publishEpoch(commit, {
        point: model.point,
        isReader: (identity) => isReader(model, identity),
      })
      this.#options.logger.info({ document: lane.document, epoch: model.head.epoch }, 'new epoch')
    } finally {
      if (audience) audience.epochs++
    }
  }
}

/** What this turn has accepted; works that wait for a hook have accepted operations, too. */
function committedNow(lanes: readonly Lane[], ended: readonly Ended[]): CommittedOperation[] {
  const waiting = lanes.flatMap(({ works }) => works.map(({ work }) => work?.committed ?? []))
  return [...ended.map(({ work }) => work.committed), ...waiting].flat()
}

function isReader(model: DocumentModel, identity: string): boolean {
  return model.head.kind === 'profile' || model.isMember(identity)
}
