/**
 * The embedded store: one SQLite file. `node:sqlite` is synchronous, so every call does its work at once and each
 * method's effects are those of one moment; the promises are the interface's, for stores that are elsewhere.
 */
import { ConfabError } from '@confab/core'
import type { Store } from '../store.ts'
import { sqliteAudit } from './audit.ts'
import { sqliteChannels } from './channels.ts'
import { copyDatabase } from './copy.ts'
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
  const db = openDatabase(path)
  const reads = new SqliteReads(db)
  const writes = new SqliteWrites(db, reads)

  return {
    load: async (serviceSid, document) => guarded(() => reads.load(serviceSid, document)),
    keyOf: async (serviceSid, document) => guarded(() => reads.keyOf(serviceSid, document)),
    messages: async (key, sids) => guarded(() => reads.messages(key, sids)),
    messageRange: async (key, from, to, limit, backwards) =>
      guarded(() => reads.messageRange(key, from, to, limit, backwards)),
    liveMessages: async (key, to) => guarded(() => reads.liveMessages(key, to)),
    page: async (key, hash) => guarded(() => reads.page(key, hash)),
    sealable: async (bounds, limit) => guarded(() => reads.sealable(bounds, limit)),
    decided: async (key, ids) => guarded(() => reads.decided(key, ids)),
    points: async (serviceSid, identity, documents) =>
      guarded(() => reads.points(serviceSid, identity, documents)),
    isMember: async (key, identity) => guarded(() => reads.isMember(key, identity)),
    log: async (key, fromSeq, identity) => guarded(() => reads.log(key, fromSeq, identity)),
    snapshot: async (key, identity) => guarded(() => reads.snapshot(key, identity)),
    uniqueNameOwner: async (serviceSid, name) => guarded(() => reads.uniqueNameOwner(serviceSid, name)),
    bindingOwner: async (serviceSid, address, proxy) =>
      guarded(() => reads.bindingOwner(serviceSid, address, proxy)),
    conversationCount: async (serviceSid, identity) =>
      guarded(() => reads.conversationCount(serviceSid, identity)),
    hasInvite: async (serviceSid, document, hash) =>
      guarded(() => reads.hasInvite(serviceSid, document, hash)),
    transitions: async (limit) => guarded(() => reads.transitions(limit)),
    commit: async (commits) => guarded(() => writes.commit(commits)),
    compactable: async (atLeast, limit) => guarded(() => reads.compactable(atLeast, limit, INDEXED_TAIL)),
    compact: async (key, snapshot, outboxes, keepFrom) =>
      guarded(() => writes.compact(key, snapshot, outboxes, keepFrom)),
    compactionInput: async (key, withTail) => guarded(() => reads.compactionInput(key, withTail)),
    erasable: async (limit) => guarded(() => reads.erasable(limit)),
    erase: async (key, before, snapshot, entries) =>
      guarded(() => writes.erase(key, before, snapshot, entries)),
    backup: (file) => copyDatabase(db, file),
    objects: sqliteObjects(db, guarded),
    catalogue: sqliteCatalogue(db, guarded),
    channels: sqliteChannels(db, guarded),
    webhooks: sqliteWebhooks(db, guarded),
    audit: sqliteAudit(db, guarded),
    close: async () => {
      if (db.isOpen) db.close()
    },
  }
}

/** Whatever SQLite throws becomes 70502, with the cause. */
function guarded<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof ConfabError) throw error
    throw new ConfabError(70502, `the relay's database failed: ${(error as Error).message}`, { cause: error })
  }
}
