/**
 * A device's disk. The journal keeps what it acknowledged through any crash; documents are a cache whose
 * last writes a crash may lose (y-indexeddb neither reports nor orders its writes).
 */

import * as Y from 'yjs'
import { memoryMedia } from '../../packages/client/src/storage/memory-media.ts'
import type {
  JournalEntry,
  JournalWrite,
  NewJournalEntry,
  Storage,
  Store,
  StoredDocument,
  StoredPage,
  StoredSummary,
  StoreOwner,
} from '../../packages/client/src/storage/storage.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One process (or tab) that has the disk open. After a crash nothing it does reaches the disk. */
interface Session {
  alive: boolean
  listeners: ((message: unknown) => void)[]
}

export class Disk {
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #entries: JournalEntry[] = []
  readonly #summaries = new Map<string, StoredSummary>()
  readonly #values = new Map<string, unknown>()
  readonly #documents = new Map<string, Uint8Array[]>()
  readonly #media = { contents: new Map(), uses: new Map(), leader: Promise.resolve() }
  readonly #pages = new Map<string, StoredPage & { bytes: Uint8Array }>()
  readonly #sessions = new Set<Session>()
  #position = 0
  #owner: StoreOwner | null = null
  /** Document rows that a crash lost, for the report. */
  lostRows = 0
  /** Every entry that was ever acknowledged as durable. */
  readonly everAppended: JournalEntry[] = []
  readonly #withdrawn = new Set<string>()

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  /** A process that opens this disk; `crash` ends it at once. */
  process(): { storage: Storage; crash(): void } {
    const session: Session = { alive: true, listeners: [] }
    const storage: Storage = {
      kind: 'memory',
      open: async (owner) => {
        this.#owner = owner
        this.#sessions.add(session)
        return this.#open(session)
      },
      lastOwner: async () => this.#owner,
      rememberOwner: async (owner) => {
        this.#owner = owner
      },
    }
    return { storage, crash: () => this.#crash(session) }
  }

  #crash(session: Session): void {
    session.alive = false
    this.#sessions.delete(session)
    for (const rows of this.#documents.values()) {
      while (rows.length > 0 && this.#random.chance(0.4)) {
        rows.pop()
        this.lostRows++
      }
    }
  }

  /** The last writes of a document are lost, as when a browser is killed. */
  loseRows(document: string, count: number): void {
    for (const [key, rows] of this.#documents) if (key.startsWith(`${document} `)) rows.splice(-count)
    this.lostRows += count
  }

  /** A write takes a moment, and is lost with the process that asked for it. */
  async #written(session: Session): Promise<void> {
    await this.#time.delay(this.#random.int(0, 3))
    // a crashed process hears nothing more
    if (!session.alive) await new Promise(() => {})
  }

  #open(session: Session): Store {
    let queue: Promise<unknown> = Promise.resolve()
    return {
      media: async () => memoryMedia(this.#media),
      journal: {
        load: async () =>
          structuredClone({
            entries: this.#entries.filter(({ state }) => state !== 'kept'),
            summaries: [...this.#summaries.values()],
            values: Object.fromEntries(this.#values),
          }),
        write: (write) => {
          const done = queue.then(async () => {
            await this.#written(session)
            return this.#apply(structuredClone(write))
          })
          queue = done
          return done
        },
        kept: async (document) => {
          await this.#written(session)
          const kept = this.#entries.filter(
            (entry) => entry.state === 'kept' && entry.document === (document ?? entry.document),
          )
          return structuredClone(kept.sort((a, b) => a.position - b.position))
        },
        close: async () => {},
      },
      documents: {
        open: (document, epoch, doc, before) =>
          this.#openDocument(session, `${document} ${epoch}`, doc, before),
        remove: async (document, epoch) => {
          if (session.alive) this.#documents.delete(`${document} ${epoch}`)
        },
      },
      pages: {
        list: async () => [...this.#pages.values()].map(({ bytes: _, ...page }) => page),
        get: async (document, hash, now) => {
          await this.#written(session)
          const page = this.#pages.get(document + hash)
          if (page) page.used = now
          return page?.bytes ?? null
        },
        put: async (document, hash, bytes, now) => {
          await this.#written(session)
          this.#pages.set(document + hash, { document, hash, size: bytes.length, used: now, bytes })
        },
        delete: async (document, hashes) => {
          await this.#written(session)
          for (const hash of hashes) this.#pages.delete(document + hash)
        },
      },
      peers: {
        post: (message) => {
          const copy = structuredClone(message)
          for (const other of this.#sessions) {
            if (other === session || !session.alive) continue
            this.#time.setTimeout(
              () => {
                if (other.alive) for (const listener of other.listeners) listener(copy)
              },
              this.#random.int(0, 5),
            )
          }
        },
        onMessage: (listener) => session.listeners.push(listener),
        close: () => {
          session.listeners.length = 0
        },
      },
      close: async () => {
        await queue
        this.#sessions.delete(session)
      },
    }
  }

  #apply(write: JournalWrite): JournalEntry[] {
    for (const id of write.remove ?? []) {
      const at = this.#entries.findIndex((one) => one.id === id)
      if (at >= 0) this.#entries.splice(at, 1)
    }
    const appended = (write.append ?? []).map((entry) => this.#append(entry))
    // a person's removal of a message takes its pending post with it, in one write
    if (write.append?.some(({ operation }) => operation.type === 'message.remove'))
      for (const id of write.remove ?? [])
        if (!write.append.some((entry) => entry.id === id)) this.#withdrawn.add(id)
    for (const { id, error, heldAt } of write.hold ?? []) {
      const entry = this.#entries.find((one) => one.id === id)
      if (entry) Object.assign(entry, { state: 'held', error, heldAt })
    }
    for (const { id, ...keep } of write.keep ?? []) {
      const entry = this.#entries.find((one) => one.id === id)
      if (entry && entry.state !== 'kept') Object.assign(entry, keep, { state: 'kept' })
    }
    for (const summary of write.summaries ?? []) this.#summaries.set(summary.document, summary)
    for (const document of write.removeSummaries ?? []) this.#summaries.delete(document)
    for (const [key, value] of Object.entries(write.values ?? {})) {
      if (value === undefined) this.#values.delete(key)
      else this.#values.set(key, value)
    }
    return appended
  }

  #append(entry: NewJournalEntry): JournalEntry {
    const known = this.#entries.find(({ id }) => id === entry.id)
    if (known && known.state !== 'kept') return structuredClone(known)
    const stored = { ...structuredClone(entry), position: known?.position ?? ++this.#position }
    if (known) this.#entries.splice(this.#entries.indexOf(known), 1, stored)
    else this.#entries.push(stored)
    if (!this.everAppended.some(({ id }) => id === entry.id)) this.everAppended.push(structuredClone(stored))
    return structuredClone(stored)
  }

  #openDocument(
    session: Session,
    key: string,
    doc: Y.Doc,
    before: () => Promise<unknown> = async () => {},
  ): StoredDocument {
    let writing = Promise.resolve()
    const row = (update: Uint8Array, origin: unknown) => {
      if (origin === this) return
      writing = writing.then(before).then(() => append(update))
    }
    const append = (update: Uint8Array) => {
      if (!session.alive) return
      const rows = this.#documents.get(key)
      if (rows) rows.push(update)
      else this.#documents.set(key, [update])
    }
    // what the doc held before it was opened is kept, too, and what it comes to hold meanwhile
    const held: Uint8Array[] = doc.store.clients.size > 0 ? [Y.encodeStateAsUpdate(doc)] : []
    const meanwhile = (update: Uint8Array) => void held.push(update)
    doc.on('update', meanwhile)
    const loaded = (async () => {
      await this.#written(session)
      doc.off('update', meanwhile)
      Y.transact(
        doc,
        () => {
          for (const update of this.#documents.get(key) ?? []) Y.applyUpdate(doc, update)
        },
        this,
        false,
      )
      doc.on('update', row)
      for (const update of held) row(update, null)
    })()
    return {
      loaded,
      compact: async () => {
        await writing
        if (session.alive) this.#documents.set(key, [Y.encodeStateAsUpdate(doc)])
      },
      close: async () => {
        doc.off('update', row)
        await writing
      },
    }
  }

  /** Whether its person took it back before it was decided. */
  withdrawn = (id: string): boolean => this.#withdrawn.has(id)

  /** What the disk holds of the journal, for the oracle. */
  get entries(): readonly JournalEntry[] {
    return this.#entries
  }
}
