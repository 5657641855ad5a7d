/** The reading half of the SQLite store: one prepared statement per question. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { DocumentKind, MessageRecord, StateTransition } from '@confab/core'
import { userDocument } from '@confab/core'
import type {
  DecidedOperation,
  DocumentPoint,
  DueTransition,
  Head,
  LiveMessage,
  LoadedDocument,
  LogEntry,
  SealingBounds,
  Snapshot,
  StoredMessage,
} from '../store.ts'
import { INDEXED_SEALING } from './migrations.ts'
import { decodePrivate, idBytes, idText, outcomeFrom, retiredFrom, rootsFrom } from './rows.ts'

/** Rows as arrays: a third of the cost of rows as objects. */
type Row = SQLInputValue[]

const HEAD = `key, epoch, seq, roots, retired, highest_index, message_count, deleted, kind, due_at, due_to,
  sealed_at, sealed_to, live, live_bytes, edited, edited_bytes, unmade`

/** A message's columns; its item is null when it is sealed and not in the live document. */
const MESSAGE = `m.record, m.clock, CASE WHEN m.edited = 1 OR m.position >= d.sealed_to THEN m.client END`

/** The order of the join is told, so that rows come out of the index as they are wanted and nothing is sorted. */
export const DUE_TRANSITIONS = `
  SELECT s.sid, d.name, d.due_to, d.due_at FROM documents d INDEXED BY documents_by_due
  CROSS JOIN services s ON s.key = d.service WHERE d.due_at IS NOT NULL ORDER BY d.due_at LIMIT ?`

export class SqliteReads {
  private readonly db: DatabaseSync
  private readonly services = new Map<string, number>()
  private readonly serviceKeys: StatementSync
  private readonly heads: StatementSync
  private readonly newestMessage: StatementSync
  private readonly mapItems: StatementSync
  private readonly readRecords: StatementSync
  private readonly outboxClients: StatementSync
  private readonly messageBySid: StatementSync
  private readonly messagesFrom: StatementSync
  private readonly messagesBack: StatementSync
  private readonly messagesLive: StatementSync
  private readonly pageOf: StatementSync
  private readonly toSeal: StatementSync
  private readonly toSealByScan: StatementSync
  private readonly toErase: StatementSync
  private readonly staleSnapshots: StatementSync
  private readonly seqOf: StatementSync
  private readonly totalChanges: StatementSync
  private readonly nameByKey: StatementSync
  private readonly keyByName: StatementSync
  private readonly decidedById: StatementSync
  private readonly pointsOf: StatementSync
  private readonly member: StatementSync
  private readonly logFrom: StatementSync
  private readonly entries: StatementSync
  private readonly snapshots: StatementSync
  private readonly snapshotOf: StatementSync
  private readonly nameOwner: StatementSync
  private readonly addressOwner: StatementSync
  private readonly memberships: StatementSync
  private readonly inviteByHash: StatementSync
  private readonly dueTransitions: StatementSync
  private readonly tails: StatementSync
  private readonly tailsByScan: StatementSync

  constructor(db: DatabaseSync) {
    this.db = db
    this.serviceKeys = this.prepare('SELECT key FROM services WHERE sid = ?')
    this.heads = this.prepare(`SELECT ${HEAD} FROM documents WHERE service = ? AND name = ?`)
    this.newestMessage = this.prepare(
      "SELECT record ->> 'dateCreated' FROM messages WHERE document = ? ORDER BY position DESC LIMIT 1",
    )
    this.mapItems = this.prepare('SELECT root, name, client, clock, value FROM map_items WHERE document = ?')
    this.readRecords = this.prepare(
      'SELECT participant, client, clock, horizon, at FROM reads WHERE document = ?',
    )
    this.outboxClients = this.prepare('SELECT client, identity, clock FROM outbox_clients WHERE document = ?')
    this.messageBySid = this.prepare(
      `SELECT ${MESSAGE} FROM decided o JOIN messages m ON m.document = o.document AND m.position = o.position
        JOIN documents d ON d.key = o.document WHERE o.document = ? AND o.id = ?`,
    )
    const range = (order: string) =>
      `SELECT ${MESSAGE} FROM documents d CROSS JOIN messages m ON m.document = d.key
        WHERE d.key = ? AND m.position >= ? AND m.position < ? ORDER BY m.position ${order} LIMIT ?`
    this.messagesFrom = this.prepare(range('ASC'))
    this.messagesBack = this.prepare(range('DESC'))
    this.messagesLive = this.prepare(
      `SELECT record, clock, client FROM messages INDEXED BY messages_edited
          WHERE document = ?1 AND edited = 1 AND position < ?2
        UNION ALL SELECT * FROM (SELECT m.record, m.clock, m.client FROM documents d
          CROSS JOIN messages m ON m.document = d.key AND m.position >= d.sealed_to
          WHERE d.key = ?1 AND m.position < ?2 ORDER BY m.position)`,
    )
    this.pageOf = this.prepare('SELECT deflated FROM pages WHERE document = ? AND hash = ?')
    const beyond = 'live > ?1 OR live_bytes > ?2 OR edited > ?3 OR edited_bytes > ?4 OR unmade > 0'
    const toSeal = (where: string) =>
      `SELECT d.key, s.sid, d.name FROM documents d JOIN services s ON s.key = d.service WHERE ${where} LIMIT ?5`
    this.toSeal = this.prepare(toSeal(`(${INDEXED_SEALING.TO_SEAL}) AND (${beyond})`))
    this.toSealByScan = this.prepare(toSeal(beyond))
    this.toErase = this.prepare('SELECT key FROM documents WHERE removed_at IS NOT NULL LIMIT ?')
    this.staleSnapshots = this.prepare('SELECT key FROM documents WHERE sealed_at >= snapshot_seq LIMIT ?')
    this.keyByName = this.prepare('SELECT key FROM documents WHERE service = ? AND name = ?')
    this.nameByKey = this.prepare(
      'SELECT s.sid, d.name FROM documents d JOIN services s ON s.key = d.service WHERE d.key = ?',
    )
    this.totalChanges = this.prepare('SELECT total_changes()')
    this.seqOf = this.prepare('SELECT seq, epoch FROM documents WHERE key = ?')
    this.decidedById = this.prepare('SELECT identity, outcome FROM decided WHERE document = ? AND id = ?')
    // A document that isn't there costs what one costs that isn't this reader's: another row is read in its place, and
    // the members are asked before anything else of it. Otherwise the time would tell the two apart.
    this.pointsOf = this.prepare(`
      SELECT d.name, d.key, d.epoch, d.seq, d.commits_id, d.commits_clock
      FROM json_each(?1) asked CROSS JOIN documents d
        ON d.key = coalesce((SELECT key FROM documents WHERE service = ?2 AND name = asked.value), 1)
      WHERE CASE
        WHEN EXISTS (SELECT 1 FROM members m WHERE m.document = d.key AND m.identity = ?3)
          THEN d.name = asked.value AND d.service = ?2
        WHEN d.kind = 'profile' THEN d.name = asked.value AND d.service = ?2
        ELSE d.kind = 'user' AND d.name = ?4 AND d.name = asked.value AND d.service = ?2 END`)
    this.member = this.prepare('SELECT 1 FROM members WHERE document = ? AND identity = ?')
    this.logFrom = this.prepare('SELECT log_from FROM documents WHERE key = ?')
    this.entries = this.prepare(
      'SELECT seq, common, private FROM log WHERE document = ? AND seq >= ? ORDER BY seq',
    )
    this.snapshots = this.prepare('SELECT identity, seq, bytes FROM snapshots WHERE document = ?')
    this.snapshotOf = this.prepare('SELECT seq, bytes FROM snapshots WHERE document = ? AND identity = ?')
    this.nameOwner = this.prepare(
      'SELECT d.name FROM unique_names u JOIN documents d ON d.key = u.document WHERE u.service = ? AND u.name = ?',
    )
    this.addressOwner = this.prepare(
      'SELECT d.name FROM bindings b JOIN documents d ON d.key = b.document WHERE b.service = ? AND b.address = ? AND b.proxy = ?',
    )
    this.memberships = this.prepare('SELECT count(*) FROM members WHERE service = ? AND identity = ?')
    this.inviteByHash = this.prepare(
      'SELECT 1 FROM invites i CROSS JOIN documents d ON d.key = i.document WHERE i.service = ? AND i.hash = ? AND d.name = ?',
    )
    this.dueTransitions = this.prepare(DUE_TRANSITIONS)
    const due = 'seq - snapshot_seq >= ? AND seq - snapshot_seq >= min(snapshot_seq / 2, 4096)'
    this.tails = this.prepare(
      `SELECT key, snapshot_seq, seq FROM documents WHERE seq - snapshot_seq >= 128 AND ${due} LIMIT ?`,
    )
    this.tailsByScan = this.prepare(`SELECT key, snapshot_seq, seq FROM documents WHERE ${due} LIMIT ?`)
  }

  private prepare(sql: string): StatementSync {
    const statement = this.db.prepare(sql)
    statement.setReturnArrays(true)
    return statement
  }

  /** Numeric key of a service; 0 when it has no document yet. */
  service(sid: string): number {
    const known = this.services.get(sid)
    if (known !== undefined) return known
    const row = this.serviceKeys.get(sid) as Row | undefined
    if (!row) return 0
    this.services.set(sid, row[0] as number)
    return row[0] as number
  }

  load(serviceSid: string, document: string): LoadedDocument | null {
    const row = this.heads.get(this.service(serviceSid), document) as Row | undefined
    if (!row) return null
    const [
      key,
      epoch,
      seq,
      roots,
      retired,
      highestIndex,
      messageCount,
      deleted,
      kind,
      dueAt,
      dueTo,
      sealedAt,
      ...counts
    ] = row as [
      number,
      number,
      number,
      string,
      string | null,
      number,
      number,
      number,
      DocumentKind,
      number | null,
      StateTransition['to'],
      number,
      ...counts: [number, number, number, number, number, number],
    ]
    const [sealedTo, live, liveBytes, edited, editedBytes, unmade] = counts
    const head: Head = {
      key,
      serviceSid,
      document,
      kind,
      epoch,
      seq,
      roots: rootsFrom(roots),
      highestIndex,
      messageCount,
      history: { sealedTo, live, liveBytes, edited, editedBytes, unmade },
    }
    if (retired !== null) head.retired = retiredFrom(retired)
    if (deleted === 1) head.deleted = true
    if (dueAt !== null) head.transition = { to: dueTo, at: dueAt }
    const newest = this.newestMessage.get(key) as [number] | undefined
    return {
      ...(newest ? { newestMessageAt: newest[0] } : {}),
      sealedAt,
      head,
      mapItems: (this.mapItems.all(key) as unknown as [string, string, number, number, string | null][]).map(
        ([root, name, client, clock, value]) => ({
          root,
          key: name,
          item: [client, clock],
          value: value === null ? undefined : JSON.parse(value),
        }),
      ),
      reads: (
        this.readRecords.all(key) as unknown as [Uint8Array, number, number, number | null, number][]
      ).map(([participant, client, clock, horizon, at]) => ({
        record: {
          participantSid: idText(participant, 'MB'),
          lastReadMessageIndex: horizon,
          lastReadTimestamp: at,
        },
        item: [client, clock],
      })),
      outboxClients: (this.outboxClients.all(key) as unknown as [number, string, number][]).map(
        ([client, identity, clock]) => ({ client, identity, clock }),
      ),
    }
  }

  keyOf(serviceSid: string, document: string): number | null {
    const row = this.keyByName.get(this.service(serviceSid), document) as Row | undefined
    return row ? (row[0] as number) : null
  }

  /** Rows that were written on this connection so far. */
  changes(): number {
    return (this.totalChanges.get() as unknown as [number])[0]
  }

  /** How far a document has come in the tables. */
  standing(key: number): { seq: number; epoch: number } {
    const row = this.seqOf.get(key) as Row | undefined
    return row ? { seq: row[0] as number, epoch: row[1] as number } : { seq: -1, epoch: -1 }
  }

  nameOf(key: number): [serviceSid: string, document: string] {
    return this.nameByKey.get(key) as unknown as [string, string]
  }

  messages(key: number, sids: readonly string[]): StoredMessage[] {
    const found: StoredMessage[] = []
    for (const sid of sids) {
      const row = this.messageBySid.get(key, idBytes(sid, 'IM')) as Row | undefined
      if (row) found.push(messageFrom(row))
    }
    return found
  }

  messageRange(key: number, from: number, to: number, limit = -1, backwards = false): StoredMessage[] {
    const statement = backwards ? this.messagesBack : this.messagesFrom
    const below = Math.min(to, Number.MAX_SAFE_INTEGER)
    return (statement.all(key, from, below, limit) as unknown as Row[]).map(messageFrom)
  }

  liveMessages(key: number, to: number): LiveMessage[] {
    const rows = this.messagesLive.all(key, Math.min(to, Number.MAX_SAFE_INTEGER)) as unknown as Row[]
    return rows.map((row) => messageFrom(row) as LiveMessage)
  }

  page(key: number, hash: string): Uint8Array | null {
    const row = this.pageOf.get(key, hash) as Row | undefined
    return row ? (row[0] as Uint8Array) : null
  }

  sealable(bounds: SealingBounds, limit: number): { key: number; serviceSid: string; document: string }[] {
    const { messages, bytes, edited, editedBytes } = bounds
    const isIndexed =
      messages >= INDEXED_SEALING.messages &&
      bytes >= INDEXED_SEALING.bytes &&
      edited >= INDEXED_SEALING.edited &&
      editedBytes >= INDEXED_SEALING.editedBytes
    const statement = isIndexed ? this.toSeal : this.toSealByScan
    const rows = statement.all(messages, bytes, edited, editedBytes, limit) as unknown as [
      number,
      string,
      string,
    ][]
    return rows.map(([key, serviceSid, document]) => ({ key, serviceSid, document }))
  }

  erasable(limit: number): { key: number }[] {
    return (this.toErase.all(limit) as unknown as [number][]).map(([key]) => ({ key }))
  }

  stale(limit: number): { key: number }[] {
    return (this.staleSnapshots.all(limit) as unknown as [number][]).map(([key]) => ({ key }))
  }

  decided(key: number, ids: readonly string[]): DecidedOperation[] {
    const found: DecidedOperation[] = []
    for (const id of ids) {
      const row = this.decidedById.get(key, idBytes(id)) as Row | undefined
      if (row)
        found.push({ id, identity: row[0] as string, outcome: outcomeFrom(id, row[1] as string | null) })
    }
    return found
  }

  points(serviceSid: string, identity: string, documents: readonly string[]): DocumentPoint[] {
    const rows = this.pointsOf.all(
      JSON.stringify(documents),
      this.service(serviceSid),
      identity,
      userDocument(identity),
    ) as unknown as [string, number, number, number, number, number][]
    return rows.map(([document, key, epoch, seq, commitsId, clock]) => ({
      document,
      key,
      epoch,
      seq,
      commitsId,
      clock,
    }))
  }

  isMember(key: number, identity: string): boolean {
    return this.member.get(key, identity) !== undefined
  }

  log(key: number, fromSeq: number, identity: string): LogEntry[] | null {
    const kept = this.logFrom.get(key) as Row | undefined
    if (!kept || fromSeq < (kept[0] as number)) return null
    return this.logEntries(key, fromSeq, identity)
  }

  snapshot(key: number, identity: string): { snapshot: Snapshot | null; outbox: Uint8Array | null } {
    const common = this.snapshotOf.get(key, '') as Row | undefined
    const own = this.snapshotOf.get(key, identity) as Row | undefined
    return {
      snapshot: common ? { seq: common[0] as number, update: common[1] as Uint8Array } : null,
      outbox: own ? (own[1] as Uint8Array) : null,
    }
  }

  uniqueNameOwner(serviceSid: string, uniqueName: string): string | null {
    const row = this.nameOwner.get(this.service(serviceSid), uniqueName) as Row | undefined
    return row ? (row[0] as string) : null
  }

  bindingOwner(serviceSid: string, address: string, proxyAddress: string): string | null {
    const row = this.addressOwner.get(this.service(serviceSid), address, proxyAddress) as Row | undefined
    return row ? (row[0] as string) : null
  }

  conversationCount(serviceSid: string, identity: string): number {
    return (this.memberships.get(this.service(serviceSid), identity) as unknown as [number])[0]
  }

  hasInvite(serviceSid: string, document: string, hash: string): boolean {
    return this.inviteByHash.get(this.service(serviceSid), Buffer.from(hash, 'hex'), document) !== undefined
  }

  transitions(limit: number): DueTransition[] {
    const rows = this.dueTransitions.all(limit) as unknown as [
      string,
      string,
      StateTransition['to'],
      number,
    ][]
    return rows.map(([serviceSid, document, to, at]) => ({ serviceSid, document, to, at }))
  }

  /** @param indexedTail tails of at least this length are found by the index */
  compactable(
    atLeast: number,
    limit: number,
    indexedTail: number,
  ): { key: number; seq: number; entries: number }[] {
    const statement = atLeast >= indexedTail ? this.tails : this.tailsByScan
    const rows = statement.all(atLeast, limit) as unknown as [number, number, number][]
    return rows.map(([key, snapshotSeq, seq]) => ({ key, seq: snapshotSeq, entries: seq - snapshotSeq }))
  }

  compactionInput(
    key: number,
    withTail = false,
  ): {
    seq: number
    snapshot: Snapshot | null
    outboxes: { identity: string; update: Uint8Array }[]
    entries: LogEntry[]
  } {
    let snapshot: Snapshot | null = null
    const outboxes: { identity: string; update: Uint8Array }[] = []
    for (const [identity, seq, update] of this.snapshots.all(key) as unknown as [
      string,
      number,
      Uint8Array,
    ][]) {
      if (identity === '') snapshot = { seq, update }
      else outboxes.push({ identity, update })
    }
    const { seq } = this.standing(key)
    return {
      seq,
      snapshot,
      outboxes,
      entries: this.logEntries(key, withTail ? 0 : (snapshot?.seq ?? 0), null),
    }
  }

  private logEntries(key: number, fromSeq: number, identity: string | null): LogEntry[] {
    const rows = this.entries.all(key, fromSeq) as unknown as [number, Uint8Array, Uint8Array | null][]
    return rows.map(([seq, update, parts]) => ({ seq, update, private: decodePrivate(parts, identity) }))
  }
}

function messageFrom([record, clock, client]: Row): StoredMessage {
  return {
    record: JSON.parse(record as string) as MessageRecord,
    item: client === null ? null : [client as number, clock as number],
  }
}
