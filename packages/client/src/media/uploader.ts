/**
 * Brings the attachments of undecided posts to the relay, and then lets the posts go: one client of those that share the
 * store at a time, resuming what it or another began.
 */
import { ConfabError, errorFromBody, type MediaRecord, messageSidOf } from '@confab/core'
import type { AttachmentWorker } from '../engine/attachments.ts'
import type { LocalAccess } from '../engine/reader.ts'
import type { JournalEntry, MediaStore } from '../storage/storage.ts'
import { errorOfAnswer, type RelayAccess, stateOf } from './relay.ts'

export interface Progress {
  conversation: string
  message: string
  /** Bytes that the relay has, and bytes of all attachments. */
  sent: number
  total: number
  state: 'waiting' | 'uploading' | 'checking' | 'complete'
  /** Why it waits. */
  error?: { code: number; message: string }
}

/** Posts whose attachments are on their way at the same time: a picture doesn't wait for a film. */
const AT_ONCE = 2
/** First and longest wait, in milliseconds, before something is tried again. */
const RETRY_FIRST = 1000
const RETRY_MOST = 60_000
/** Milliseconds between two questions whether the relay's app has answered, and at most. */
const CHECK_FIRST = 300
const CHECK_MOST = 10_000
/** Milliseconds between two words on how far it is. */
const TELL_EVERY = 100

/** What the relay says that no other attempt would change. */
const FINAL: ReadonlySet<number> = new Set([20001, 20403, 70301, 70606, 70607, 70608, 70609])

interface Job {
  entry: JournalEntry
  media: readonly MediaRecord[]
  stop: AbortController
  isRunning: boolean
  /** Bytes that are there, by attachment. */
  sent: Map<string, number>
  delay: number
  /** When it is due, milliseconds since the epoch. */
  due: number
  told: number
}

export type Tus = Pick<typeof import('./tus.ts'), 'upload' | 'terminate'>

export interface UploaderOptions {
  local: LocalAccess
  store: MediaStore
  relay: RelayAccess
  /** Loads what speaks tus: a chunk of its own, for those who send something. */
  tus(): Promise<Tus>
  tell(progress: Progress): void
  /** Called when operations may have come or gone. */
  changed(): void
}

/** What a post has attached; null for one that has nothing. */
function attachedTo({ operation }: JournalEntry): readonly MediaRecord[] | null {
  return operation.type === 'message.post' && operation.media?.length ? operation.media : null
}

export class Uploader implements AttachmentWorker {
  readonly #local: LocalAccess
  readonly #store: MediaStore
  readonly #relay: RelayAccess
  readonly #tus: () => Promise<Tus>
  readonly #tell: (progress: Progress) => void
  readonly #changed: () => void
  readonly #jobs = new Map<string, Job>()
  #turn: AbortController | null = null
  #ended: Promise<void> = Promise.resolve()
  #timer: ReturnType<typeof setTimeout> | null = null
  #wake: () => void = () => {}
  #isLooking = false
  #closed = false

  constructor({ local, store, relay, tus, tell, changed }: UploaderOptions) {
    this.#local = local
    this.#store = store
    this.#relay = relay
    this.#tus = tus
    this.#tell = tell
    this.#changed = changed
  }

  look(): void {
    if (this.#isLooking || this.#closed) return
    this.#isLooking = true
    queueMicrotask(() => {
      this.#isLooking = false
      if (this.#closed) return
      this.#takeIn()
      this.#changed()
      this.#run()
    })
  }

  connectionChanged(): void {
    if (this.#local.connection.connected) {
      for (const job of this.#jobs.values()) job.due = 0
      this.look()
    } else this.#turn?.abort(new Error('The connection ended'))
  }

  heard(news: unknown): void {
    this.#tell(news as Progress)
  }

  /** Holds a message whose attachments aren't there yet. False when it is on its way already, or decided. */
  async cancel(messageSid: string): Promise<boolean> {
    const operationId = messageSid.slice(2)
    const entry = this.#local.journal.get(operationId)
    const conversation = entry && this.#local.conversation(entry.document)
    if (entry?.state !== 'pending' || this.#local.attachments.isReady(operationId)) return false
    if (!attachedTo(entry) || (await conversation?.isSent(operationId))) return false
    this.#local.hold(entry, { code: 20001, message: 'The upload was cancelled' })
    this.look()
    return true
  }

  /** Does so with the message that has this attachment. */
  async cancelOf(mediaSid: string): Promise<void> {
    const entry = this.#local.journal
      .allPending()
      .find((one) => attachedTo(one)?.some(({ sid }) => sid === mediaSid))
    if (entry) await this.cancel(messageSidOf(entry.id))
  }

  /** Tries again at once what waits for its next attempt. False when there is nothing of this message to try. */
  retry(messageSid: string): boolean {
    const job = this.#jobs.get(messageSid.slice(2))
    if (!job) return false
    job.due = 0
    this.look()
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#turn?.abort(new ConfabError(70701))
    for (const job of this.#jobs.values()) job.stop.abort(new ConfabError(70701))
    await this.#ended
  }

  #takeIn(): void {
    const { journal, attachments } = this.#local
    for (const [id, job] of this.#jobs) {
      if (journal.get(id)?.state === 'pending') continue
      this.#jobs.delete(id)
      job.stop.abort(new Error('The message is gone'))
      void this.#terminate(job)
    }
    for (const entry of journal.allPending()) {
      const { id } = entry
      const media = attachedTo(entry)
      if (!media || attachments.isReady(id) || this.#jobs.has(id)) continue
      const stop = new AbortController()
      const job = {
        entry,
        media,
        stop,
        isRunning: false,
        sent: new Map(),
        delay: RETRY_FIRST,
        due: 0,
        told: 0,
      }
      this.#jobs.set(id, job)
      this.#say(job, 'waiting')
    }
  }

  #next(): Job | undefined {
    return [...this.#jobs.values()].find(
      (job) => !job.isRunning && this.#left(job) === 0 && !this.#isShut(job),
    )
  }

  /** Milliseconds until it is due; longer than ever, the clock was set back. */
  #left({ due }: Job): number {
    const left = due - this.#local.now()
    return left > RETRY_MOST ? 0 : Math.max(0, left)
  }

  /** Until the relay lets this person in it takes nothing of theirs: what opens the conversation goes first. */
  #isShut({ entry }: Job): boolean {
    return this.#local.journal
      .pending(entry.document)
      .some(({ operation: { type } }) => type === 'conversation.create' || type === 'conversation.join')
  }

  #run(): void {
    this.#wake()
    if (this.#turn || this.#closed || !this.#local.connection.connected || !this.#next()) {
      this.#later()
      return
    }
    const turn = new AbortController()
    this.#turn = turn
    this.#ended = this.#lead(turn.signal)
      .catch((error: unknown) => {
        if (!turn.signal.aborted) this.#local.warn('Attachments could not be brought to the relay', error)
      })
      .then(() => {
        this.#turn = null
        this.#run()
      })
  }

  /** Looks again when the next one is due. */
  #later(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    const waiting = [...this.#jobs.values()].filter((job) => !job.isRunning && this.#left(job) > 0)
    if (waiting.length === 0 || this.#closed || !this.#local.connection.connected) return
    const wait = Math.min(...waiting.map((job) => this.#left(job)))
    this.#timer = setTimeout(() => this.#run(), wait)
    ;(this.#timer as { unref?(): void }).unref?.()
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const end = await this.#store.lead(signal)
    const working = new Set<Promise<void>>()
    try {
      while (!signal.aborted) {
        for (let job = this.#next(); job && working.size < AT_ONCE; job = this.#next()) {
          const work = this.#do(job, signal).then(() => void working.delete(work))
          working.add(work)
        }
        if (working.size === 0) break
        this.#later()
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        await Promise.race([...working, woken])
      }
      await Promise.all(working)
    } finally {
      end()
    }
  }

  async #do(job: Job, turn: AbortSignal): Promise<void> {
    job.isRunning = true
    const stop = new AbortController()
    const abort = () => stop.abort(turn.aborted ? turn.reason : job.stop.signal.reason)
    for (const signal of [turn, job.stop.signal]) signal.addEventListener('abort', abort)
    if (turn.aborted || job.stop.signal.aborted) abort()
    try {
      for (const record of job.media) await this.#bring(job, record, stop.signal)
      this.#done(job)
    } catch (error) {
      if (!stop.signal.aborted) this.#failed(job, error)
      else if (this.#jobs.has(job.entry.id)) this.#say(job, 'waiting')
    } finally {
      job.isRunning = false
      for (const signal of [turn, job.stop.signal]) signal.removeEventListener('abort', abort)
    }
  }

  #done(job: Job): void {
    const { id, document } = job.entry
    this.#jobs.delete(id)
    this.#local.attachments.ready(id)
    this.#say(job, 'complete')
    this.#local.conversation(document)?.sendReady()
  }

  #failed(job: Job, cause: unknown): void {
    const error =
      cause instanceof ConfabError
        ? cause
        : new ConfabError(70502, `An attachment could not be brought to the relay: ${reasonOf(cause)}`, {
            cause,
          })
    if (FINAL.has(error.code)) {
      this.#local.hold(job.entry, { code: error.code, message: error.message })
      this.look()
      return
    }
    job.due = this.#local.now() + job.delay
    job.delay = Math.min(RETRY_MOST, job.delay * 2)
    this.#say(job, 'waiting', { code: error.code, message: error.message })
  }

  async #bring(job: Job, record: MediaRecord, signal: AbortSignal): Promise<void> {
    const before = await stateOf(this.#relay, record.sid, signal)
    if (before === null || before.state === 'uploading') {
      if (!(await this.#upload(job, record, signal))) return
    }
    job.sent.set(record.sid, record.size)
    for (let wait = CHECK_FIRST; ; wait = Math.min(CHECK_MOST, wait * 2)) {
      const now = await stateOf(this.#relay, record.sid, signal)
      if (now?.state === 'ready') return
      if (now?.state === 'refused') throw errorFromBody(now)
      if (now?.state !== 'checking')
        throw new ConfabError(70502, `The relay lost ${record.sid}: it will be brought again`)
      this.#say(job, 'checking')
      await pause(wait, signal)
    }
  }

  /** False when the content isn't on this device: whether the post can be taken without is the relay's to say. */
  async #upload(job: Job, record: MediaRecord, signal: AbortSignal): Promise<boolean> {
    const { entry } = job
    const content = record.sha256 ? await this.#store.get(record.sha256, this.#local.now()) : null
    if (!content) {
      if (this.#local.attachments.refusals(entry.id) === 0) return false
      throw new ConfabError(70606, 'The relay does not have an attachment, and neither has this device')
    }
    const use = (await this.#store.uses()).find(({ media }) => media === record.sid)
    const { upload } = await this.#tus()
    this.#say(job, 'uploading')
    await upload(this.#relay, {
      content,
      metadata: {
        sid: record.sid,
        conversation: entry.document,
        filetype: record.contentType,
        sha256: record.sha256 as string,
        category: record.category,
        ...(record.filename === undefined ? {} : { filename: record.filename }),
      },
      upload: use?.upload,
      begun: (url) => {
        if (use && use.upload !== url)
          void this.#store
            .use([{ ...use, upload: url }])
            .catch((error: unknown) => this.#local.warn('Where an upload goes on could not be kept', error))
      },
      progress: (bytes) => {
        const before = job.sent.get(record.sid) ?? 0
        if (bytes === before) return
        if (bytes > before) job.delay = RETRY_FIRST
        job.sent.set(record.sid, bytes)
        if (Math.abs(this.#local.now() - job.told) >= TELL_EVERY) this.#say(job, 'uploading')
      },
      errorOf: errorOfAnswer,
      signal,
    })
    return true
  }

  async #terminate(job: Job): Promise<void> {
    try {
      // what was held may be sent again, and goes on then
      if (this.#local.journal.get(job.entry.id) || !this.#local.connection.connected) return
      const sids = new Set(job.media.map(({ sid }) => sid))
      for (const { media, upload } of await this.#store.uses())
        if (upload !== undefined && sids.has(media)) await (await this.#tus()).terminate(this.#relay, upload)
    } catch {
      // uploads that nobody goes on with end by themselves
    }
  }

  #say(job: Job, state: Progress['state'], error?: Progress['error']): void {
    job.told = this.#local.now()
    const media = job.media
    const total = media.reduce((sum, { size }) => sum + size, 0)
    const progress: Progress = {
      conversation: job.entry.document,
      message: messageSidOf(job.entry.id),
      sent: state === 'complete' ? total : media.reduce((sum, { sid }) => sum + (job.sent.get(sid) ?? 0), 0),
      total,
      state,
      ...(error && { error }),
    }
    this.#tell(progress)
    this.#local.tellOthers(progress.conversation, progress)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

/** Without what tus-js-client tells of the request: its address stands there. */
const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message.split(/, (?:caused|originated)/)[0] : String(cause)) ?? ''
