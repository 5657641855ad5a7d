/**
 * The embedded store: one SQLite file. `node:sqlite` is synchronous, so every call does its work at once and each
 * method's effects are those of one moment; the promises are the interface's, for stores that are elsewhere.
 */
import type { DatabaseSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import type { Store } from '../store.ts'
import { sqliteAudit } from './audit.ts'
import { sqliteChannels } from './channels.ts'
import { copyDatabase } from './copy.ts'
import { Journal, type JournalBounds } from './journal.ts'
import { sqliteMedia } from './media.ts'
import { INDEXED_TAIL } from './migrations.ts'
import { sqliteCatalogue, sqliteObjects } from './objects.ts'
import { openDatabase } from './open.ts'
import { SqliteReads } from './reads.ts'
import { sqliteWebhooks } from './webhooks.ts'
import { SqliteWrites } from './writes.ts'

/**
 * Opens or makes the database.
 * @param path a file, or `':memory:'`
 * @throws ConfabError 70502 when the file is in use by another relay, was written by a newer version, or can't be opened
 */
export function openSqliteStore(path: string): Store {
  return storeOn(openDatabase(path))
}

/** A store on a database that `openDatabase` opened. What a store before it left in the journal is its first work. */
export function storeOn(db: DatabaseSync, bounds?: JournalBounds): Store {
  const reads = new SqliteReads(db)
  const writes = new SqliteWrites(db, reads)
  const journal = trying(() => new Journal(db, reads, writes, bounds))
  /** For whatever asks the tables: everything is in them. */
  const guarded = <Result>(work: () => Result): Result => trying(() => journal.reading(work))
  /** For what asks them of one document. */
  const guardedOf = <Result>(key: number, work: () => Result): Result =>
    trying(() => journal.readingOf(key, work))
  const guardedNamed = <Result>(serviceSid: string, documents: readonly string[], work: () => Result) =>
    trying(() => journal.readingNamed(serviceSid, documents, work))
  /** For what writes into them: of one document, or of any. */
  const writing = <Result>(key: number | undefined, work: () => Result): Result =>
    trying(() => {
      journal.fold(key)
      return work()
    })
  // what the journal never holds: names, members, addresses, invites, pages, events for webhooks,
  // attachments, the audit trail, when messages were sealed
  const unfolded = trying

  return {
    load: async (serviceSid, document) =>
      guardedNamed(serviceSid, [document], () => reads.load(serviceSid, document)),
    keyOf: async (serviceSid, document) => unfolded(() => reads.keyOf(serviceSid, document)),
    messages: async (key, sids) => guardedOf(key, () => reads.messages(key, sids)),
    messageRange: async (key, from, to, limit, backwards) =>
      guardedOf(key, () => reads.messageRange(key, from, to, limit, backwards)),
    liveMessages: async (key, to) => guardedOf(key, () => reads.liveMessages(key, to)),
    page: async (key, hash) => unfolded(() => reads.page(key, hash)),
    sealable: async (bounds, limit) => guarded(() => reads.sealable(bounds, limit)),
    decided: async (key, ids) => trying(() => journal.decided(key, ids)),
    points: async (serviceSid, identity, documents) =>
      guardedNamed(serviceSid, documents, () => reads.points(serviceSid, identity, documents)),
    isMember: async (key, identity) => unfolded(() => reads.isMember(key, identity)),
    log: async (key, fromSeq, identity) => guardedOf(key, () => reads.log(key, fromSeq, identity)),
    snapshot: async (key, identity) => guardedOf(key, () => reads.snapshot(key, identity)),
    uniqueNameOwner: async (serviceSid, name) => unfolded(() => reads.uniqueNameOwner(serviceSid, name)),
    bindingOwner: async (serviceSid, address, proxy) =>
      unfolded(() => reads.bindingOwner(serviceSid, address, proxy)),
    conversationCount: async (serviceSid, identity) =>
      unfolded(() => reads.conversationCount(serviceSid, identity)),
    hasInvite: async (serviceSid, document, hash) =>
      unfolded(() => reads.hasInvite(serviceSid, document, hash)),
    transitions: async (limit) => guarded(() => reads.transitions(limit)),
    commit: async (commits) => trying(() => journal.commit(commits)),
    // asked again and again while much is written: what is a little late is found the next time
    compactable: async (atLeast, limit) =>
      trying(() => journal.readingAbout(atLeast / 4, () => reads.compactable(atLeast, limit, INDEXED_TAIL))),
    stale: async (limit) => unfolded(() => reads.stale(limit)),
    compact: async (key, snapshot, outboxes, keepFrom) =>
      writing(key, () => writes.compact(key, snapshot, outboxes, keepFrom)),
    compactionInput: async (key, withTail) => guardedOf(key, () => reads.compactionInput(key, withTail)),
    erasable: async (limit) => guarded(() => reads.erasable(limit)),
    erase: async (key, before, snapshot, entries) =>
      writing(undefined, () => writes.erase(key, before, snapshot, entries, () => journal.clear())),
    backup: async (file) => {
      // what is written while it copies may be in the copy's journal, and is folded when that is opened
      trying(() => journal.fold())
      return copyDatabase(db, file)
    },
    objects: sqliteObjects(db, guarded),
    catalogue: sqliteCatalogue(db, guarded),
    channels: sqliteChannels(db, guarded),
    webhooks: sqliteWebhooks(db, unfolded),
    media: sqliteMedia(db, unfolded),
    audit: sqliteAudit(db, unfolded),
    close: async () => {
      if (!db.isOpen) return
      try {
        writing(undefined, () => writes.transaction(() => journal.clear()))
      } catch {
        // a full disk: the next start finds it in the journal
      }
      db.close()
    },
  }
}

/** Whatever SQLite throws becomes 70502, with the cause. */
function trying<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof ConfabError) throw error
    throw new ConfabError(70502, `the relay's database failed: ${(error as Error).message}`, { cause: error })
  }
}
