/**
 * Sealing in the background: the oldest live messages of a long conversation become pages, pages that lost a message
 * are made anew, and edited messages go back into theirs. A page is read, encoded and deflated in slices between which
 * the relay does its work, and stored by the commit that names it: after a crash there is either both or neither, and
 * what was due is due again.
 */
import { createHash } from 'node:crypto'
import { encodePage, type MessageRecord } from '@confab/core'
import type { DocumentCommit, HistoryCounts, LiveMessage, StoredMessage } from '../store/store.ts'
import type { Committer } from './committer.ts'
import type { DocumentModel } from './document.ts'
import { type MadePage, weightOf } from './history.ts'
import type { EngineSettings, SealingOptions } from './options.ts'

/** Rows read without a pause: less than a millisecond. */
const SLICE = 200
/** Documents looked up at a time. */
const AT_A_TIME = 64
/**
 * What stays live, as a share of what may be. The newest messages are in the document, the others are a page away: the
 * less stays, the longer the pages, and the shorter the manifest of a long history.
 */
const STAYS = 1 / 4
/** After a page the sealer rests for so many times as long as it took, so that nobody's removals take all of the CPU. */
const REST = 3
/** Milliseconds that it rests at most: no page takes as long. */
const LONGEST_REST = 10_000

interface Due {
  serviceSid: string
  document: string
  /** A page was made of its oldest messages: it goes on down to what stays. */
  isUnderway?: boolean
}

export class Sealer {
  readonly #options: EngineSettings
  readonly #committer: Committer
  readonly #bounds: SealingOptions
  /** By key of the document, in the order in which they became due. */
  readonly #due = new Map<number, Due>()
  /** Documents of which a page is made anew after a while, so that many removals make it once. */
  readonly #waiting = new Map<number, () => void>()
  #running: Promise<void> | null = null
  /** Ends the rest between two pages. */
  #wake: () => void = () => {}
  #isStopped = false

  constructor(options: EngineSettings, bounds: SealingOptions, committer: Committer) {
    this.#options = options
    this.#bounds = bounds
    this.#committer = committer
  }

  /** Takes up what the run before left over. */
  start(): void {
    this.#begin(true)
  }

  committed(commits: readonly DocumentCommit[]): void {
    for (const { head, deleted } of commits) {
      if (head.kind !== 'conversation' || deleted) continue
      if (this.#isBeyond(head.history)) this.#put(head)
      else if (head.history.unmade > 0) this.#putLater(head)
    }
    this.#begin(false)
  }

  /** What is being made is thrown away or stored; nothing else is begun. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const cancel of this.#waiting.values()) cancel()
    this.#waiting.clear()
    this.#wake()
    await this.#running
  }

  #isBeyond(history: HistoryCounts): boolean {
    const { edited, editedBytes } = this.#bounds
    return this.#isTooLong(history, false) || history.edited > edited || history.editedBytes > editedBytes
  }

  /** @param isUnderway whether a page was made just now: the next one is made as long as it will be half full */
  #isTooLong({ live, liveBytes }: HistoryCounts, isUnderway: boolean): boolean {
    const { messages, bytes, pageMessages, pageBytes } = this.#bounds
    if (live < 2) return false
    if (!isUnderway) return live > messages || liveBytes > bytes
    return live >= messages * STAYS + pageMessages / 2 || liveBytes >= bytes * STAYS + pageBytes / 2
  }

  #put({ key, serviceSid, document }: DocumentCommit['head']): void {
    if (!this.#due.has(key)) this.#due.set(key, { serviceSid, document })
  }

  #putLater(head: DocumentCommit['head']): void {
    if (this.#isStopped || this.#waiting.has(head.key) || this.#due.has(head.key)) return
    const cancel = this.#options.after(this.#bounds.settle, () => {
      this.#waiting.delete(head.key)
      this.#put(head)
      this.#begin(false)
    })
    this.#waiting.set(head.key, cancel)
  }

  #begin(withStored: boolean): void {
    if (this.#isStopped || this.#running || (this.#due.size === 0 && !withStored)) return
    this.#running = this.#run(withStored).finally(() => {
      this.#running = null
      // what came while it ended
      this.#begin(false)
    })
  }

  async #run(withStored: boolean): Promise<void> {
    if (withStored) await this.#lookUp()
    while (this.#due.size > 0 && !this.#isStopped) {
      const [key, due] = this.#due.entries().next().value as [number, Due]
      this.#due.delete(key)
      const began = this.#options.now()
      let isLeft = false
      try {
        isLeft = await this.#page(due)
      } catch (error) {
        // everything is as it was; the next commit of the document makes it due again
        this.#options.logger.error({ err: error, document: due.document }, 'sealing failed')
      }
      // the others first
      if (isLeft) this.#due.set(key, due)
      // a clock that is set forward meanwhile makes no rest of days
      await this.#rest(Math.min(LONGEST_REST, REST * (this.#options.now() - began)))
    }
  }

  async #lookUp(): Promise<void> {
    try {
      await this.#pause()
      for (const { key, ...due } of await this.#options.store.sealable(this.#bounds, AT_A_TIME))
        this.#due.set(key, due)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'sealing could not begin')
    }
  }

  /** One page of one document. True: there may be more to do. */
  async #page(due: Due): Promise<boolean> {
    const { serviceSid, document } = due
    await this.#pause()
    if (this.#isStopped) return false
    const model = await this.#committer.watched(serviceSid, document)
    if (!model) return false
    const { edited, editedBytes, unmade } = model.head.history
    const bounds = this.#bounds
    due.isUnderway = this.#isTooLong(model.head.history, due.isUnderway === true)
    if (due.isUnderway) return this.#seal(model)
    if (unmade > 0) return this.#reseal(model, model.history.firstUnmade())
    if (edited > bounds.edited || editedBytes > bounds.editedBytes)
      return this.#reseal(model, await this.#mostEdited(model))
    return false
  }

  async #seal(model: DocumentModel): Promise<boolean> {
    const { epoch, key, history } = model.head
    const bounds = this.#bounds
    // what is to stay; one message at least does
    const most = Math.max(1, history.live - Math.floor(bounds.messages * STAYS))
    const bytes = history.liveBytes - bounds.bytes * STAYS
    const messages: LiveMessage[] = []
    let taken = 0
    for await (const message of this.#rows(key, history.sealedTo, Number.MAX_SAFE_INTEGER)) {
      const weight = weightOf(message.record)
      const { length } = messages
      const isFull = length === bounds.pageMessages || (length > 0 && taken + weight > bounds.pageBytes)
      const isEnough = length === history.live - 1 || (length >= most && taken >= bytes)
      if (isFull || isEnough) break
      messages.push(message as LiveMessage)
      taken += weight
    }
    if (messages.length === 0) return false
    const made = await this.#make(messages.map(({ record }) => record))
    if (!made) return false
    // whether it went in or something came between: there may be more to do
    await this.#committer.change(model, epoch, () => {
      model.seal(messages, made)
      return true
    })
    return true
  }

  async #reseal(model: DocumentModel, number: number): Promise<boolean> {
    if (number < 0) return false
    const { epoch, key } = model.head
    const { first, entry } = model.history.page(number)
    const messages: StoredMessage[] = []
    for await (const message of this.#rows(key, first, entry[0] + 1)) messages.push(message)
    const made = await this.#make(messages.map(({ record }) => record))
    if (!made) return false
    await this.#committer.change(model, epoch, () => model.reseal(number, messages, made))
    return true
  }

  /** The page to which most of the edited messages belong. */
  async #mostEdited({ head, history }: DocumentModel): Promise<number> {
    const counts = new Map<number, number>()
    let most = -1
    for (const { record } of await this.#options.store.liveMessages(head.key, head.history.sealedTo)) {
      const number = history.numberOf(record.index)
      counts.set(number, (counts.get(number) ?? 0) + 1)
      if (most < 0 || (counts.get(number) ?? 0) > (counts.get(most) ?? 0)) most = number
    }
    return most
  }

  async *#rows(key: number, from: number, to: number): AsyncIterable<StoredMessage> {
    let next = from
    for (;;) {
      const rows = await this.#options.store.messageRange(key, next, to, SLICE)
      yield* rows
      if (rows.length < SLICE) return
      next = (rows.at(-1) as StoredMessage).record.index + 1
      await this.#pause()
    }
  }

  /** Null: the relay is being closed. */
  async #make(records: MessageRecord[]): Promise<MadePage | null> {
    await this.#pause()
    const bytes = encodePage(records)
    await this.#pause()
    const hash = createHash('sha256').update(bytes).digest('base64url')
    const page = { hash, bytes: bytes.length, deflated: await this.#options.deflate(bytes) }
    return this.#isStopped ? null : page
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.defer(resolve))
  }

  #rest(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#isStopped) return this.#pause()
    return new Promise((resolve) => {
      const cancel = this.#options.after(milliseconds, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}
