/** Storage that lives as long as its object: for tests, for bots that keep nothing, and as Node's default. */
import { ConfabError } from '@confab/core'
import * as Y from 'yjs'
import { storageError } from './failure.ts'
import { memoryMedia, type SharedMedia } from './memory-media.ts'
import { ownerKey } from './owner.ts'
import type {
  Journal,
  JournalEntry,
  JournalWrite,
  Pages,
  Peers,
  Storage,
  Store,
  StoredPage,
  StoredSummary,
  StoreOwner,
} from './storage.ts'
import { keepDocument, type Rows } from './stored-document.ts'

/** What the clients of one owner share. */
interface Shared {
  nextPosition: number
  entries: Map<string, JournalEntry>
  summaries: Map<string, StoredSummary>
  values: Map<string, unknown>
  documents: Map<string, SharedRows>
  pages: Map<string, StoredPage & { bytes: Uint8Array }>
  media: SharedMedia
  peers: Set<MemoryPeers>
}

interface SharedRows {
  nextKey: number
  rows: { key: number; update: Uint8Array }[]
}

/**
 * A storage in memory. Two calls are two devices; one object opened twice for the same owner is one device with
 * two clients, as two tabs are.
 */
export function memory(): Storage {
  const stores = new Map<string, Shared>()
  const lastOwners = new Map<string, StoreOwner>()
  return {
    kind: 'memory',
    async open(owner) {
      const key = ownerKey(owner)
      let shared = stores.get(key)
      if (!shared) {
        shared = {
          nextPosition: 1,
          entries: new Map(),
          summaries: new Map(),
          values: new Map(),
          documents: new Map(),
          pages: new Map(),
          media: { contents: new Map(), uses: new Map(), leader: Promise.resolve() },
          peers: new Set(),
        }
        stores.set(key, shared)
      }
      return openStore(shared)
    },
    async lastOwner(relay) {
      const owner = lastOwners.get(relay)
      return owner ? { ...owner } : null
    },
    async rememberOwner(owner) {
      lastOwners.set(owner.relay, { ...owner })
    },
    async destroy(owner) {
      const key = ownerKey(owner)
      stores.delete(key)
      const last = lastOwners.get(owner.relay)
      if (last && ownerKey(last) === key) lastOwners.delete(owner.relay)
    },
  }
}

function openStore(shared: Shared): Store {
  const journal = memoryJournal(shared)
  const peers = new MemoryPeers(shared.peers)
  return {
    journal,
    peers,
    pages: memoryPages(shared),
    media: async () => memoryMedia(shared.media),
    documents: {
      open: (document, epoch, doc, before) =>
        keepDocument(doc, Promise.resolve(memoryRows(shared, documentKey(document, epoch), doc)), before),
      async remove(document, epoch) {
        shared.documents.delete(documentKey(document, epoch))
      },
    },
    async close() {
      peers.close()
      await journal.close()
    },
  }
}

function memoryJournal(shared: Shared): Journal {
  let closed = false
  const assertOpen = () => {
    if (closed) throw new ConfabError(70501, 'The store is closed')
  }
  return {
    async load() {
      assertOpen()
      const entries = sorted(shared, (entry) => entry.state !== 'kept')
      return structuredClone({
        entries,
        summaries: [...shared.summaries.values()],
        values: Object.fromEntries(shared.values),
      })
    },
    async write(write) {
      assertOpen()
      let copy: JournalWrite
      try {
        copy = structuredClone(write)
      } catch (cause) {
        throw storageError('write to the local database', cause)
      }
      return structuredClone(applyWrite(shared, copy))
    },
    async kept(document) {
      assertOpen()
      return structuredClone(
        sorted(shared, (entry) => entry.state === 'kept' && entry.document === (document ?? entry.document)),
      )
    },
    async close() {
      closed = true
    },
  }
}

const sorted = (shared: Shared, which: (entry: JournalEntry) => boolean): JournalEntry[] =>
  [...shared.entries.values()].filter(which).sort((a, b) => a.position - b.position)

/** Applies a write in the order that `JournalWrite` gives: remove, append, hold. */
function applyWrite(shared: Shared, write: JournalWrite): JournalEntry[] {
  for (const id of [...(write.remove ?? []), ...(write.erase ?? [])]) shared.entries.delete(id)
  const appended = (write.append ?? []).map((entry) => {
    const known = shared.entries.get(entry.id)
    if (known && known.state !== 'kept') return known
    const stored = { ...entry, position: known?.position ?? shared.nextPosition++ }
    shared.entries.set(entry.id, stored)
    return stored
  })
  for (const { id, error, heldAt } of write.hold ?? []) {
    const entry = shared.entries.get(id)
    if (entry) shared.entries.set(id, { ...entry, state: 'held', error, heldAt })
  }
  for (const { id, ...keep } of write.keep ?? []) {
    const entry = shared.entries.get(id)
    if (entry && entry.state !== 'kept') shared.entries.set(id, { ...entry, ...keep, state: 'kept' })
  }
  if (write.prune) {
    const { before, most } = write.prune
    const newestFirst = sorted(shared, ({ state }) => state === 'kept').reverse()
    for (const [at, { id, heldAt }] of newestFirst.entries()) {
      if (at >= most || (heldAt ?? 0) < before) shared.entries.delete(id)
    }
  }
  for (const document of write.removeSummaries ?? []) shared.summaries.delete(document)
  for (const summary of write.summaries ?? []) shared.summaries.set(summary.document, summary)
  for (const [key, value] of Object.entries(write.values ?? {})) {
    if (value === undefined) shared.values.delete(key)
    else shared.values.set(key, value)
  }
  return appended
}

function memoryPages({ pages }: Shared): Pages {
  return {
    async list() {
      return [...pages.values()].map(({ bytes: _, ...page }) => page)
    },
    async get(document, hash, now) {
      const page = pages.get(document + hash)
      if (!page) return null
      page.used = now
      return page.bytes.slice()
    },
    async put(document, hash, bytes, now) {
      pages.set(document + hash, { document, hash, size: bytes.length, used: now, bytes: bytes.slice() })
    },
    async delete(document, hashes) {
      for (const hash of hashes) pages.delete(document + hash)
    },
  }
}

const documentKey = (document: string, epoch: number) => `${epoch} ${document}`

function memoryRows(shared: Shared, key: string, doc: Y.Doc): Rows {
  const origin = {}
  /** Rows up to here were applied to the doc. */
  let seen = 0
  const kept = (): SharedRows => {
    let rows = shared.documents.get(key)
    if (!rows) {
      rows = { nextKey: 1, rows: [] }
      shared.documents.set(key, rows)
    }
    return rows
  }
  const apply = (): number => {
    const { rows, nextKey } = kept()
    const unseen = rows.filter((row) => row.key > seen)
    Y.transact(doc, () => unseen.forEach((row) => void Y.applyUpdate(doc, row.update)), origin, false)
    seen = nextKey - 1
    return rows.length
  }
  return {
    origin,
    async load(before, after) {
      before()
      const count = apply()
      after()
      return count
    },
    async append(updates) {
      const stored = kept()
      for (const update of updates) stored.rows.push({ key: stored.nextKey++, update })
    },
    async rewrite() {
      apply()
      const stored = kept()
      stored.rows = [{ key: stored.nextKey++, update: Y.encodeStateAsUpdate(doc) }]
      seen = stored.nextKey - 1
    },
    async close() {},
  }
}

/** Hands messages to the other clients of the same owner, in later microtasks as a BroadcastChannel does in tasks. */
class MemoryPeers implements Peers {
  readonly #all: Set<MemoryPeers>
  readonly #listeners: ((message: unknown) => void)[] = []

  constructor(all: Set<MemoryPeers>) {
    this.#all = all
    all.add(this)
  }

  post(message: unknown): void {
    if (!this.#all.has(this)) return
    for (const peer of this.#all) {
      if (peer === this) continue
      const copy = structuredClone(message)
      queueMicrotask(() => peer.#deliver(copy))
    }
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#all.delete(this)
  }

  #deliver(message: unknown): void {
    if (this.#all.has(this)) for (const listener of this.#listeners) listener(message)
  }
}
