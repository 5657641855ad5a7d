/** The writing half of the SQLite store: one transaction per batch, prepared statements throughout. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import type {
  DocumentCommit,
  Head,
  LiveMessage,
  LogEntry,
  MapItem,
  OutboxClient,
  Snapshot,
  StoredRead,
} from '../store.ts'
import { followReceipts, forgetReceipts } from './channels.ts'
import { claimMedia, forgetMediaOfConversation, forgetMediaOfMessage, forgetMediaOfPerson } from './media.ts'
import { noteConversation, noteUser } from './objects.ts'
import type { SqliteReads } from './reads.ts'
import { encodePrivate, idBytes, outcomeText, rootsText } from './rows.ts'
import { forgetDocumentText, forgetMessageText, queueEvents } from './webhooks.ts'

/** What is kept of the live document, and goes with an epoch or a deletion. */
const CONTENT = ['map_items', 'reads', 'outbox_clients', 'log', 'snapshots'] as const
/** What stays through epochs, because it is no part of the live document. */
const SEALED = ['messages', 'pages'] as const

/** What follows messages that went to people without the SDK. */
const FOLLOWED = ['outgoing', 'sent_as'] as const

export class SqliteWrites {
  private readonly db: DatabaseSync
  private readonly reads: SqliteReads
  private readonly statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync, reads: SqliteReads) {
    this.db = db
    this.reads = reads
  }

  private run(
    sql: string,
    ...values: (string | number | Uint8Array | null)[]
  ): { changes: number | bigint; lastInsertRowid: number | bigint } {
    let statement = this.statements.get(sql)
    if (!statement) {
      statement = this.db.prepare(sql)
      this.statements.set(sql, statement)
    }
    return statement.run(...values)
  }

  private readonly follow = (sql: string, ...values: (string | number | Uint8Array | null)[]) =>
    this.run(sql, ...values)

  /** All or nothing. */
  transaction<Result>(work: () => Result): Result {
    this.run('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.run('COMMIT')
      return result
    } catch (error) {
      // a failed COMMIT (a full disk) has rolled back by itself
      if (this.db.isTransaction) this.run('ROLLBACK')
      throw error
    }
  }

  /** Something that is seen inside only: nothing of it stays. */
  passing<Result>(work: () => Result): Result {
    this.run('BEGIN IMMEDIATE')
    try {
      return work()
    } finally {
      if (this.db.isTransaction) this.run('ROLLBACK')
    }
  }

  /** Writes a commit into the tables. Gives the document's key. */
  put(commit: DocumentCommit): number {
    const key = this.putHead(commit)
    if (commit.head.kind === 'profile') this.noteProfile(commit.head)
    this.putContent(key, commit, [commit.entry])
    if (commit.transition !== undefined) this.putTransition(key, commit.transition)
    this.putLookups(key, commit)
    return key
  }

  /** Writes plain commits of one document, in their order: of what each of them wrote anew, the last one's counts. */
  fold(key: number, commits: readonly DocumentCommit[]): void {
    const merged = mergedOf(commits)
    this.putHead(merged)
    this.putContent(
      key,
      merged,
      commits.map(({ entry }) => entry),
    )
    if (merged.transition !== undefined) this.putTransition(key, merged.transition)
  }

  compact(
    key: number,
    snapshot: Snapshot,
    outboxes: readonly { identity: string; update: Uint8Array }[],
    keepFrom: number,
  ): void {
    this.transaction(() => {
      const kept = Math.min(keepFrom, snapshot.seq)
      const { changes } = this.run(
        'UPDATE documents SET snapshot_seq = ?, log_from = max(log_from, ?) WHERE key = ? AND seq >= ? AND snapshot_seq <= ?',
        snapshot.seq,
        kept,
        key,
        snapshot.seq,
        snapshot.seq,
      )
      if (changes !== 1) throw new ConfabError(70502, 'the document changed its epoch while it was compacted')
      this.putSnapshot(key, '', snapshot.seq, snapshot.update)
      for (const { identity, update } of outboxes) this.putSnapshot(key, identity, snapshot.seq, update)
      this.run('DELETE FROM log WHERE document = ? AND seq < ?', key, kept)
    })
  }

  erase(
    key: number,
    before: number,
    snapshot: Snapshot | null,
    entries: readonly { seq: number; update: Uint8Array }[],
    also: () => void,
  ): void {
    this.transaction(() => {
      also()
      if (snapshot) {
        this.run(
          `UPDATE snapshots SET bytes = ? WHERE document = ? AND identity = '' AND seq = ?`,
          snapshot.update,
          key,
          snapshot.seq,
        )
      }
      for (const { seq, update } of entries)
        this.run('UPDATE log SET common = ? WHERE document = ? AND seq = ?', update, key, seq)
      this.run('UPDATE documents SET removed_at = NULL WHERE key = ? AND removed_at < ?', key, before)
    })
    // pages as they were before lie in the write-ahead log until it is emptied
    this.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  private noteProfile({ serviceSid, document }: Head): void {
    noteUser(this.follow, this.serviceKey(serviceSid), serviceSid, document.slice('profile/'.length))
  }

  private putHead({ head, expectedSeq, epoch, deleted, removes, seals }: DocumentCommit): number {
    const { sealedTo, live, liveBytes, edited, editedBytes, unmade } = head.history
    const commits = newestCommits(head)
    const roots = rootsText(head.roots)
    const retired = head.retired ? JSON.stringify(head.retired) : null
    if (head.key === 0) {
      const { lastInsertRowid } = this.run(
        `INSERT INTO documents (service, name, kind, epoch, seq, commits_id, commits_clock, roots, retired, highest_index,
          message_count, sealed_to, live, live_bytes, edited, edited_bytes, unmade, snapshot_seq, log_from, deleted)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        this.serviceKey(head.serviceSid),
        head.document,
        head.kind,
        head.epoch,
        head.seq,
        commits.client,
        commits.clock,
        roots,
        retired,
        head.highestIndex,
        head.messageCount,
        sealedTo,
        live,
        liveBytes,
        edited,
        editedBytes,
        unmade,
        epoch ? head.seq : 0,
        epoch ? head.seq : 0,
        deleted ? 1 : 0,
      )
      return Number(lastInsertRowid)
    }
    const { changes } = this.run(
      `UPDATE documents SET epoch = ?, seq = ?, commits_id = ?, commits_clock = ?, roots = ?, highest_index = ?,
        message_count = ?, sealed_to = ?, live = ?, live_bytes = ?, edited = ?, edited_bytes = ?, unmade = ?
        WHERE key = ? AND seq = ?`,
      head.epoch,
      head.seq,
      commits.client,
      commits.clock,
      roots,
      head.highestIndex,
      head.messageCount,
      sealedTo,
      live,
      liveBytes,
      edited,
      editedBytes,
      unmade,
      head.key,
      expectedSeq,
    )
    if (changes !== 1) {
      throw new ConfabError(
        70502,
        `somebody else wrote ${head.document}: commit ${expectedSeq} isn't its next one`,
      )
    }
    if (seals) this.run('UPDATE documents SET sealed_at = ? WHERE key = ?', expectedSeq, head.key)
    if (removes) this.run('UPDATE documents SET removed_at = ? WHERE key = ?', expectedSeq, head.key)
    if (epoch) {
      this.run(
        'UPDATE documents SET snapshot_seq = ?, log_from = ?, sealed_at = -1, retired = ?, removed_at = min(removed_at, 0) WHERE key = ?',
        head.seq,
        head.seq,
        retired,
        head.key,
      )
    }
    if (deleted) {
      this.run(
        'UPDATE documents SET snapshot_seq = ?, log_from = ?, sealed_at = -1, deleted = 1 WHERE key = ?',
        head.seq,
        head.seq,
        head.key,
      )
    }
    return head.key
  }

  private putContent(key: number, commit: DocumentCommit, entries: readonly LogEntry[]): void {
    const { kind, serviceSid, document } = commit.head
    if (commit.media) claimMedia(this.follow, serviceSid, document, commit.media)
    if (commit.deleted || (commit.removes && kind === 'user')) this.forgetOwn(commit.head)
    if (commit.epoch || commit.deleted) {
      for (const table of CONTENT) this.run(`DELETE FROM ${table} WHERE document = ?`, key)
    }
    if (commit.deleted) {
      for (const table of [...SEALED, ...FOLLOWED]) this.run(`DELETE FROM ${table} WHERE document = ?`, key)
    }
    if (commit.epoch) {
      const { snapshot, messages, mapItems, reads } = commit.epoch
      this.putSnapshot(key, '', snapshot.seq, snapshot.update)
      this.putItems(key, mapItems, messages, reads, commit.head.history.sealedTo)
    } else if (!commit.deleted) {
      for (const entry of entries) {
        this.run(
          'INSERT INTO log (document, seq, common, private) VALUES (?, ?, ?, ?)',
          key,
          entry.seq,
          entry.update,
          encodePrivate(entry.private),
        )
      }
      const { sealedTo } = commit.head.history
      this.putItems(key, commit.mapItems, commit.messages.put, commit.reads.put, sealedTo)
      for (const sid of commit.messages.delete) {
        this.run(
          `DELETE FROM messages WHERE document = ?
            AND position = (SELECT position FROM decided WHERE document = ? AND id = ?)`,
          key,
          key,
          idBytes(sid, 'IM'),
        )
        forgetReceipts(this.follow, key, sid)
        forgetMessageText(this.follow, serviceSid, document, sid)
        forgetMediaOfMessage(this.follow, serviceSid, document, sid)
      }
      this.putPages(key, commit)
      for (const sid of commit.reads.delete) {
        this.run('DELETE FROM reads WHERE document = ? AND participant = ?', key, idBytes(sid, 'MB'))
      }
      for (const { client, identity, clock } of commit.outboxClients) {
        this.run(
          `INSERT INTO outbox_clients (document, client, identity, clock) VALUES (?, ?, ?, ?)
            ON CONFLICT (document, client) DO UPDATE SET clock = excluded.clock`,
          key,
          client,
          identity,
          clock,
        )
      }
    }
    const positions = positionsOf(commit.messages.put)
    for (const { id, identity, outcome } of commit.decided) {
      // the first decision stands
      this.run(
        `INSERT INTO decided (document, id, identity, outcome, position) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        key,
        idBytes(id),
        identity,
        outcomeText(outcome),
        positions?.get(id) ?? null,
      )
    }
  }

  /** What is kept elsewhere of a conversation or a person that is gone. */
  private forgetOwn({ kind, serviceSid, document }: Head): void {
    forgetDocumentText(this.follow, serviceSid, document)
    if (kind === 'user') forgetMediaOfPerson(this.follow, serviceSid, document.slice('user/'.length))
    else forgetMediaOfConversation(this.follow, serviceSid, document)
  }

  private putPages(key: number, { pages, edits }: DocumentCommit): void {
    for (const hash of pages?.delete ?? [])
      this.run('DELETE FROM pages WHERE document = ? AND hash = ?', key, hash)
    for (const { hash, deflated } of pages?.put ?? [])
      this.run(
        'INSERT INTO pages (document, hash, deflated) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        key,
        hash,
        deflated,
      )
    const mark = 'UPDATE messages SET edited = ? WHERE document = ? AND position = ?'
    for (const index of edits?.live ?? []) this.run(mark, 1, key, index)
    for (const index of edits?.sealed ?? []) this.run(mark, 0, key, index)
  }

  private putItems(
    key: number,
    mapItems: readonly MapItem[],
    messages: readonly LiveMessage[],
    reads: readonly StoredRead[],
    sealedTo: number,
  ): void {
    for (const { root, key: name, item, value } of mapItems) {
      this.run(
        `INSERT INTO map_items (document, root, name, client, clock, value) VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT (document, root, name) DO UPDATE SET client = excluded.client, clock = excluded.clock, value = excluded.value`,
        key,
        root,
        name,
        item[0],
        item[1],
        value === undefined ? null : JSON.stringify(value),
      )
      if (root === 'conversation' && value !== undefined) noteConversation(this.follow, key, name, value)
    }
    for (const { record, item } of messages) {
      this.run(
        `INSERT INTO messages (document, position, client, clock, record, edited) VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT (document, position) DO UPDATE SET client = excluded.client, clock = excluded.clock,
            record = excluded.record, edited = excluded.edited`,
        key,
        record.index,
        item[0],
        item[1],
        JSON.stringify(record),
        record.index < sealedTo ? 1 : 0,
      )
      if (record.receipts) followReceipts(this.follow, key, record)
    }
    for (const { record, item } of reads) {
      this.run(
        `INSERT INTO reads (document, participant, client, clock, horizon, at) VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT (document, participant) DO UPDATE SET client = excluded.client, clock = excluded.clock,
            horizon = excluded.horizon, at = excluded.at`,
        key,
        idBytes(record.participantSid, 'MB'),
        item[0],
        item[1],
        record.lastReadMessageIndex,
        record.lastReadTimestamp,
      )
    }
  }

  private putLookups(
    key: number,
    { head, uniqueName, members, bindings, invites, deleted, events }: DocumentCommit,
  ): void {
    if (events) queueEvents(this.follow, events)
    if (deleted) {
      for (const table of ['members', 'unique_names', 'bindings', 'invites'])
        this.run(`DELETE FROM ${table} WHERE document = ?`, key)
      return
    }
    if (!uniqueName && !members && !bindings && !invites) return
    const service = this.serviceKey(head.serviceSid)
    if (uniqueName && uniqueName.from !== uniqueName.to) {
      if (uniqueName.from !== null) {
        this.run(
          'DELETE FROM unique_names WHERE service = ? AND name = ? AND document = ?',
          service,
          uniqueName.from,
          key,
        )
      }
      if (uniqueName.to !== null) {
        this.run(
          'INSERT INTO unique_names (service, name, document) VALUES (?, ?, ?)',
          service,
          uniqueName.to,
          key,
        )
      }
    }
    for (const identity of members?.delete ?? []) {
      this.run('DELETE FROM members WHERE document = ? AND identity = ?', key, identity)
    }
    for (const { identity, status } of members?.put ?? []) {
      noteUser(this.follow, service, head.serviceSid, identity)
      this.run(
        `INSERT INTO members (document, identity, service, status) VALUES (?, ?, ?, ?)
          ON CONFLICT (document, identity) DO UPDATE SET status = excluded.status`,
        key,
        identity,
        service,
        status,
      )
    }
    for (const { address, proxyAddress } of bindings?.delete ?? []) {
      this.run(
        'DELETE FROM bindings WHERE service = ? AND address = ? AND proxy = ? AND document = ?',
        service,
        address,
        proxyAddress,
        key,
      )
    }
    for (const { address, proxyAddress, participantSid } of bindings?.put ?? []) {
      this.run(
        'INSERT INTO bindings (service, address, proxy, document, participant) VALUES (?, ?, ?, ?, ?)',
        service,
        address,
        proxyAddress,
        key,
        idBytes(participantSid, 'MB'),
      )
    }
    for (const hash of invites?.delete ?? []) {
      this.run(
        'DELETE FROM invites WHERE service = ? AND hash = ? AND document = ?',
        service,
        Buffer.from(hash, 'hex'),
        key,
      )
    }
    for (const hash of invites?.put ?? []) {
      this.run(
        'INSERT INTO invites (service, hash, document) VALUES (?, ?, ?)',
        service,
        Buffer.from(hash, 'hex'),
        key,
      )
    }
  }

  private putTransition(key: number, transition: DocumentCommit['transition']): void {
    this.run(
      'UPDATE documents SET due_at = ?, due_to = ? WHERE key = ?',
      transition?.at ?? null,
      transition?.to ?? null,
      key,
    )
  }

  private putSnapshot(key: number, identity: string, seq: number, bytes: Uint8Array): void {
    this.run(
      `INSERT INTO snapshots (document, identity, seq, bytes) VALUES (?, ?, ?, ?)
        ON CONFLICT (document, identity) DO UPDATE SET seq = excluded.seq, bytes = excluded.bytes`,
      key,
      identity,
      seq,
      bytes,
    )
  }

  private serviceKey(sid: string): number {
    const known = this.reads.service(sid)
    // not remembered here: the transaction may be rolled back
    return known !== 0
      ? known
      : Number(this.run('INSERT INTO services (sid) VALUES (?)', sid).lastInsertRowid)
  }
}

function mergedOf(commits: readonly DocumentCommit[]): DocumentCommit {
  const [first] = commits
  const last = commits.at(-1)
  if (!first || !last) throw new TypeError('Nothing to fold')
  if (first === last) return first
  const mapItems = new Map<string, MapItem>()
  const reads = new Map<string, StoredRead>()
  const outboxClients = new Map<number, OutboxClient>()
  const messages: LiveMessage[] = []
  const decided: DocumentCommit['decided'] = []
  let transition: DocumentCommit['transition']
  for (const commit of commits) {
    for (const item of commit.mapItems) mapItems.set(`${item.root} ${item.key}`, item)
    for (const read of commit.reads.put) reads.set(read.record.participantSid, read)
    for (const client of commit.outboxClients) outboxClients.set(client.client, client)
    messages.push(...commit.messages.put)
    decided.push(...commit.decided)
    if (commit.transition !== undefined) transition = commit.transition
  }
  return {
    head: last.head,
    expectedSeq: first.expectedSeq,
    entry: last.entry,
    mapItems: [...mapItems.values()],
    messages: { put: messages, delete: [] },
    reads: { put: [...reads.values()], delete: [] },
    outboxClients: [...outboxClients.values()],
    decided,
    ...(transition !== undefined && { transition }),
  }
}

/** Where the messages lie that operations of a commit posted, by the operation's id; null for none. */
function positionsOf(messages: readonly LiveMessage[]): Map<string, number> | null {
  if (messages.length === 0) return null
  return new Map(messages.map(({ record }) => [record.sid.slice(2), record.index]))
}

function newestCommits(head: Head): { client: number; clock: number } {
  for (let i = head.roots.length - 1; i >= 0; i--) {
    const root = head.roots[i]
    if (root?.root === 'commits') return root
  }
  return { client: 0, clock: 0 }
}
