/**
 * What is kept of attachments, and until when: while an operation that isn't decided has it, while a message has it and
 * the budget lets it, and always while its conversation is pinned.
 */
import { isGone, type MediaRecord, messageSidOf, pageOf } from '@confab/core'
import type { LocalAccess } from '../engine/reader.ts'
import type { MediaStore, MediaUse } from '../storage/storage.ts'

/** Milliseconds after a change until its effects are looked for: several share one look. */
const AFTER = 1000
/** Milliseconds that what is kept for a message may go without the message: longer than any file takes to be written. */
const DRAFT = 3_600_000

interface Written {
  record: MediaRecord
  conversation: string
  message: string
}

/** Attachments of operations that are undecided or held, by their sid. */
function writtenIn({ journal }: LocalAccess): ReadonlyMap<string, Written> {
  const written = new Map<string, Written>()
  for (const { id, document, operation } of [...journal.allPending(), ...journal.held()]) {
    if (operation.type !== 'message.post') continue
    for (const record of operation.media ?? [])
      written.set(record.sid, { record, conversation: document, message: messageSidOf(id) })
  }
  return written
}

export class Releases {
  readonly #local: LocalAccess
  readonly #store: MediaStore
  readonly #budget: number
  readonly #released: () => Promise<void>
  readonly #changed = new Set<string>()
  /** Conversations for which something is kept, as far as is known here. */
  readonly #conversations = new Set<string>()
  readonly #noted = new Set<string>()
  /** Conversations in which something isn't decided. */
  #writing: ReadonlySet<string> = new Set()
  #timer: ReturnType<typeof setTimeout> | null = null
  #working: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @param released called when something may have gone */
  constructor(local: LocalAccess, store: MediaStore, budget: number, released: () => Promise<void>) {
    this.#local = local
    this.#store = store
    this.#budget = budget
    this.#released = released
    this.#run(async () => {
      for (const { conversation } of await store.uses()) this.#conversations.add(conversation)
      // of what happened while nobody looked, this much shows without opening anything
      for (const sid of this.#conversations) if (!local.conversation(sid)?.view) this.changed(sid)
    })
  }

  kept({ conversation }: MediaUse): void {
    this.#conversations.add(conversation)
    this.#later()
  }

  /** What is here already has one more message. */
  async note(use: MediaUse): Promise<void> {
    if (this.#noted.has(use.media)) return
    this.#noted.add(use.media)
    const before = (await this.#store.uses()).find(({ media }) => media === use.media)
    if (before?.index === use.index && before.message === use.message) return
    await this.#store.use([use])
    this.#conversations.add(use.conversation)
  }

  /** Operations came, were decided or discarded. */
  operationsChanged(): void {
    const before = this.#writing
    this.#writing = new Set([...writtenIn(this.#local).values()].map(({ conversation }) => conversation))
    for (const sid of this.#writing) this.#conversations.add(sid)
    for (const sid of new Set([...before, ...this.#writing])) this.changed(sid)
  }

  changed(conversation: string): void {
    if (!this.#conversations.has(conversation)) return
    this.#changed.add(conversation)
    this.#later()
  }

  /** A message was written with these, or wasn't: then they stay if an operation is held that has them. */
  settle(media: readonly string[], message: string | null): Promise<void> {
    return this.#run(async () => {
      const written = writtenIn(this.#local)
      const uses = (await this.#store.uses()).filter((use) => media.includes(use.media))
      const messageOf = (use: MediaUse) => message ?? written.get(use.media)?.message
      await this.#store.use(
        uses.flatMap((use) => {
          const sid = messageOf(use)
          return sid === undefined ? [] : { ...use, message: sid }
        }),
      )
      await this.#release(uses.filter((use) => messageOf(use) === undefined))
    })
  }

  forget(conversation: string): Promise<void> {
    return this.#run(async () => {
      const written = writtenIn(this.#local)
      const uses = (await this.#store.uses()).filter((use) => use.conversation === conversation)
      await this.#release(uses.filter(({ media }) => !written.has(media)))
    })
  }

  /** Makes room for so many bytes, as far as that goes. Gives whether anything went. */
  free(bytes: number): Promise<boolean> {
    return this.#run(async () => {
      const contents = await this.#store.contents()
      return this.#evict(contents.reduce((sum, { size }) => sum + size, 0) - bytes)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#working
  }

  #later(): void {
    if (this.#closed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#run(() => this.#lookAround()).catch((error: unknown) =>
        this.#local.warn('What is kept of attachments could not be looked over', error),
      )
    }, AFTER)
    ;(this.#timer as { unref?(): void }).unref?.()
  }

  /** One after the other. */
  #run<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#working.then(task)
    this.#working = done.catch(() => {})
    return done
  }

  async #lookAround(): Promise<void> {
    const changed = new Set(this.#changed)
    this.#changed.clear()
    const written = writtenIn(this.#local)
    const uses = (await this.#store.uses()).filter(({ conversation }) => changed.has(conversation))
    const gone: MediaUse[] = []
    for (const use of uses) if (!written.has(use.media) && !(await this.#isThere(use))) gone.push(use)
    await this.#take(uses, gone, written)
    await this.#evict(this.#budget)
  }

  /** Keeps what operations have that aren't decided, and lets go of what is gone. */
  async #take(
    uses: readonly MediaUse[],
    gone: readonly MediaUse[],
    written: ReadonlyMap<string, Written>,
  ): Promise<void> {
    const known = new Map(uses.map((use) => [use.media, use]))
    const fresh = [...written.values()].flatMap(({ record, conversation, message }): MediaUse[] => {
      const use = known.get(record.sid)
      if (use ? use.message === message : !record.sha256 || this.#noted.has(record.sid)) return []
      this.#noted.add(record.sid)
      const since = this.#local.now()
      const hash = record.sha256 as string
      return [{ ...use, media: record.sid, hash, conversation, message, index: null, since }]
    })
    if (fresh.length > 0) await this.#store.use(fresh)
    await this.#release(gone)
  }

  /** Whether a message has it, as far as is known here. */
  async #isThere({ conversation: sid, message, index, since }: MediaUse): Promise<boolean> {
    if (message === '') return since > this.#local.now() - DRAFT
    const conversation = this.#local.conversation(sid)
    if (!conversation?.view) return false
    await conversation.opened()
    const { seen } = conversation
    if (seen.base.lost || seen.message(message)) return true
    const { manifest } = seen.base
    if (index === null) return manifest.end > 0
    const page = pageOf(manifest, index)
    return page !== undefined && !isGone(page, index)
  }

  /** Lets go of what was used longest ago, until no more than so many bytes are here. Gives whether anything went. */
  async #evict(bytes: number): Promise<boolean> {
    const contents = await this.#store.contents()
    let sum = contents.reduce((all, { size }) => all + size, 0)
    if (sum <= bytes) return false
    const written = writtenIn(this.#local)
    const uses = new Map<string, MediaUse[]>()
    for (const use of await this.#store.uses()) uses.set(use.hash, [...(uses.get(use.hash) ?? []), use])
    const stays = (use: MediaUse) =>
      written.has(use.media) || use.message === '' || this.#local.isPinned(use.conversation)
    const going: MediaUse[] = []
    for (const { hash, size } of contents.sort((a, b) => a.used - b.used)) {
      if (sum <= bytes) break
      const all = uses.get(hash) ?? []
      if (all.some(stays)) continue
      going.push(...all)
      sum -= size
    }
    await this.#release(going)
    return going.length > 0
  }

  async #release(uses: readonly MediaUse[]): Promise<void> {
    if (uses.length === 0) return
    await this.#store.release(uses.map(({ media }) => media))
    for (const { media } of uses) this.#noted.delete(media)
    await this.#released()
  }
}
