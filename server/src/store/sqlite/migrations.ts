/**
 * The schema, as numbered steps. A step is never changed once released: another one follows it. Each runs in a
 * transaction of its own together with the `user_version` that records it.
 *
 * Documents are named by an integer everywhere but in `documents`; ids of 32 hex digits are 16-byte blobs.
 */
import type { DatabaseSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import { AUDIT_TABLES } from './audit.ts'
import { CHANNEL_TABLES } from './channels.ts'
import { MEDIA_COUNTS, MEDIA_TABLES } from './media.ts'
import { defineFunctions, OBJECT_TABLES } from './objects.ts'
import { WEBHOOK_TABLES } from './webhooks.ts'

/** Documents that the index of what is to be sealed knows. */
const TO_SEAL = 'live > 1000 OR live_bytes > 262144 OR edited > 200 OR edited_bytes > 65536 OR unmade > 0'
/** The same before step 10. */
const TO_SEAL_LATER =
  'live > 2000 OR live_bytes > 524288 OR edited > 200 OR edited_bytes > 65536 OR unmade > 0'

const MIGRATIONS: readonly string[] = [
  // 1: documents, what is served of them, and the look-ups across conversations
  `
  CREATE TABLE services (
    key INTEGER PRIMARY KEY,
    sid TEXT NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE documents (
    key INTEGER PRIMARY KEY,
    service INTEGER NOT NULL REFERENCES services (key),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    -- the newest id in the root commits and its items: with the epoch, the document's resume point
    commits_id INTEGER NOT NULL,
    commits_clock INTEGER NOT NULL,
    roots TEXT NOT NULL,
    retired TEXT,
    highest_index INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    snapshot_seq INTEGER NOT NULL DEFAULT 0,
    log_from INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (service, name)
  ) STRICT;
  -- finds what compaction has to do without a scan, and costs nothing for documents below the bound
  CREATE INDEX documents_with_a_tail ON documents (key) WHERE seq - snapshot_seq >= 128;

  CREATE TABLE map_items (
    document INTEGER NOT NULL,
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    client INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    value TEXT,
    PRIMARY KEY (document, root, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE messages (
    document INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sid BLOB NOT NULL,
    client INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (document, position)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX messages_by_sid ON messages (document, sid);

  CREATE TABLE reads (
    document INTEGER NOT NULL,
    participant BLOB NOT NULL,
    client INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    horizon INTEGER,
    at INTEGER NOT NULL,
    PRIMARY KEY (document, participant)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outbox_clients (
    document INTEGER NOT NULL,
    client INTEGER NOT NULL,
    identity TEXT NOT NULL,
    clock INTEGER NOT NULL,
    PRIMARY KEY (document, client)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE decided (
    document INTEGER NOT NULL,
    id BLOB NOT NULL,
    identity TEXT NOT NULL,
    -- null: accepted without a warning
    outcome TEXT,
    PRIMARY KEY (document, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE log (
    document INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    common BLOB NOT NULL,
    private BLOB,
    PRIMARY KEY (document, seq)
  ) STRICT, WITHOUT ROWID;

  -- identity '' (which nobody can have): the part for every reader
  CREATE TABLE snapshots (
    document INTEGER NOT NULL,
    identity TEXT NOT NULL,
    seq INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (document, identity)
  ) STRICT;

  CREATE TABLE members (
    document INTEGER NOT NULL,
    identity TEXT NOT NULL,
    service INTEGER NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (document, identity)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX members_by_identity ON members (service, identity);

  CREATE TABLE unique_names (
    service INTEGER NOT NULL,
    name TEXT NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (service, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX unique_names_by_document ON unique_names (document);

  CREATE TABLE bindings (
    service INTEGER NOT NULL,
    address TEXT NOT NULL,
    proxy TEXT NOT NULL,
    document INTEGER NOT NULL,
    participant BLOB NOT NULL,
    PRIMARY KEY (service, address, proxy)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX bindings_by_document ON bindings (document);
  `,
  // 2: what the timers of conversations do next
  `
  ALTER TABLE documents ADD COLUMN due_at INTEGER;
  ALTER TABLE documents ADD COLUMN due_to TEXT;
  CREATE INDEX documents_by_due ON documents (due_at) WHERE due_at IS NOT NULL;
  `,
  // 3: log and messages in the order of their writing, so that a turn's rows share pages, whichever documents they are
  // of; before, each went into the middle of a tree. A message is found by the operation that posted it.
  `
  ALTER TABLE log RENAME TO log_by_document_before;
  CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    common BLOB NOT NULL,
    private BLOB
  ) STRICT;
  INSERT INTO log (document, seq, common, private)
    SELECT document, seq, common, private FROM log_by_document_before ORDER BY document, seq;
  DROP TABLE log_by_document_before;
  CREATE UNIQUE INDEX log_by_document ON log (document, seq);

  ALTER TABLE decided ADD COLUMN position INTEGER;
  UPDATE decided SET position =
    (SELECT m.position FROM messages m WHERE m.document = decided.document AND m.sid = decided.id);

  ALTER TABLE messages RENAME TO messages_before;
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL,
    position INTEGER NOT NULL,
    client INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  INSERT INTO messages (document, position, client, clock, record)
    SELECT document, position, client, clock, record FROM messages_before ORDER BY document, position;
  DROP TABLE messages_before;
  CREATE UNIQUE INDEX messages_by_document ON messages (document, position);
  `,
  // 4: invites by their hash, so that a guess touches nothing of the conversation that it is made at
  `
  CREATE TABLE invites (
    service INTEGER NOT NULL,
    hash BLOB NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (service, hash, document)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX invites_by_document ON invites (document);
  INSERT INTO invites (service, hash, document)
    SELECT d.service, unhex(invite.key), d.key
    FROM documents d JOIN map_items m ON m.document = d.key AND m.root = 'conversation' AND m.name = 'invites',
      json_each(m.value) invite
    WHERE m.value IS NOT NULL AND invite.value ->> 'usesLeft' > 0;
  `,
  // 5: sealed history. A sealed message's row stays, and is `edited` when it is in the live document again. Bytes of
  // messages are those of `weightOf`.
  `
  ALTER TABLE documents ADD COLUMN sealed_to INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE documents ADD COLUMN live INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE documents ADD COLUMN live_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE documents ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE documents ADD COLUMN edited_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE documents ADD COLUMN unmade INTEGER NOT NULL DEFAULT 0;
  -- sequence number of the last commit that removed a message whose text may still be in log or snapshot
  ALTER TABLE documents ADD COLUMN removed_at INTEGER;
  UPDATE documents SET live = message_count, live_bytes = coalesce((
    SELECT sum(150 + coalesce(octet_length(record ->> 'body'), 0) + coalesce(octet_length(record ->> 'subject'), 0)
      + coalesce(octet_length(record -> 'attributes'), 0) + coalesce(octet_length(record -> 'media'), 0))
    FROM messages WHERE document = documents.key), 0) WHERE message_count > 0;
  CREATE INDEX documents_to_seal ON documents (key) WHERE ${TO_SEAL_LATER};
  CREATE INDEX documents_to_erase ON documents (key) WHERE removed_at IS NOT NULL;

  ALTER TABLE messages ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX messages_edited ON messages (document, position) WHERE edited = 1;

  CREATE TABLE pages (
    document INTEGER NOT NULL,
    hash TEXT NOT NULL,
    deflated BLOB NOT NULL,
    PRIMARY KEY (document, hash)
  ) STRICT;
  `,
  // 6: channels
  CHANNEL_TABLES,
  // 7: what administrators write down, and the catalogue of conversations and people
  OBJECT_TABLES,
  // 8: what webhooks are still to be told
  WEBHOOK_TABLES,
  // 9: what administrators did
  AUDIT_TABLES,
  // 10: less is live before it is sealed
  `
  DROP INDEX documents_to_seal;
  CREATE INDEX documents_to_seal ON documents (key) WHERE ${TO_SEAL};
  `,
  // 11: batches of commits that aren't in the tables yet, or were until their row is overwritten
  `
  CREATE TABLE journal (
    slot INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    commits BLOB NOT NULL
  ) STRICT;
  `,
  // 12: attachments
  MEDIA_TABLES,
  // 13: how many attachments there are, and uploads that are over
  MEDIA_COUNTS,
  // 14: sequence number of the newest commit that took messages out of the live document, so that a start knows which
  // snapshots still have them. Of those before this step it isn't known: it may have been the last one.
  `
  ALTER TABLE documents ADD COLUMN sealed_at INTEGER NOT NULL DEFAULT -1;
  UPDATE documents SET sealed_at = seq - 1 WHERE sealed_to > 0;
  CREATE INDEX documents_stale ON documents (key) WHERE sealed_at >= snapshot_seq;
  `,
]

/** Bounds from which on the index of step 10 has every document, and its condition. */
export const INDEXED_SEALING = { messages: 1000, bytes: 262_144, edited: 200, editedBytes: 65_536, TO_SEAL }

/** Tail length from which the partial index above knows a document. */
export const INDEXED_TAIL = 128

/**
 * Brings the file to this version's schema.
 * @param target another version, for tests
 * @throws ConfabError 70502 when the file was written by a newer version
 */
export function migrate(db: DatabaseSync, target = MIGRATIONS.length): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > MIGRATIONS.length) {
    throw new ConfabError(
      70502,
      `the database has schema ${version} and this relay knows ${MIGRATIONS.length}: run the newer version of the relay`,
    )
  }
  defineFunctions(db)
  for (let step = version; step < target; step++) {
    db.exec('BEGIN IMMEDIATE')
    try {
      db.exec(MIGRATIONS[step] as string)
      db.exec(`PRAGMA user_version = ${step + 1}`)
      db.exec('COMMIT')
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }
}
