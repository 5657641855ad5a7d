/** What may be wrong within an owner's file, and what helps. Each check reads; only a `fix` writes. */
import {
  DEFAULT_LIMITS,
  type DocumentName,
  decodePage,
  type Limits,
  type MessageRecord,
  type Operation,
  outboxName,
  pageHash,
  parseDocumentName,
  parseOperation,
  readManifest,
} from '@confab/core'
import * as Y from 'yjs'
import type { Sqlite } from '../storage/directory-sqlite.ts'
import { FILES, type StoreOwner } from '../storage/storage.ts'
import { isComplete } from '../storage/stored-document.ts'

/** As far as a check goes. */
type Readable = Pick<Sqlite, 'all' | 'get'>

export interface Damage {
  kind: string
  what: string
  repair: string | null
  fix?: (db: Sqlite) => void
}

/** Bounds that no operation of any relay's exceeds: only what can't be read at all is damaged. */
const LIMITS: Limits = Object.fromEntries(
  Object.entries(DEFAULT_LIMITS).map(([name, limit]) => [
    name,
    typeof limit === 'number' ? limit * 1000 : limit,
  ]),
) as unknown as Limits

export function damageOf(db: Readable, owner: StoreOwner | null): Damage[] {
  const summaries = new Map(db.all('select * from summaries').map((row) => [String(row.document), row]))
  return [
    ...journalDamage(db),
    ...valueDamage(db),
    ...summaryDamage(summaries),
    ...documentDamage(db, summaries, owner),
    ...pageDamage(db, summaries),
  ]
}

function* journalDamage(db: Readable): Iterable<Damage> {
  for (const { position, id, document, operation, state, error } of db.all(
    'select * from entries order by position',
  )) {
    const reason = entryFault(String(operation), String(id))
    if (reason !== null) {
      yield {
        kind: 'journal-entry',
        what: `Operation ${id} of ${document} in the journal can't be read (${reason})`,
        repair: 'it leaves the journal, where no client can start with it; it stays in the copy',
        fix: (store) => void store.run('delete from entries where position = ?', Number(position)),
      }
      continue
    }
    const held =
      state === 'held' && isJson(error, (value) => typeof (value as { code?: unknown })?.code === 'number')
    if (state === 'pending' || state === 'kept' || held) continue
    yield {
      kind: 'journal-state',
      what: `Operation ${id} of ${document} is neither pending, held nor kept as it should be (${state})`,
      repair: 'it is held, for the person to resend or discard',
      fix: (store) =>
        void store.run(
          "update entries set state = 'held', error = ?, held_at = coalesce(held_at, ?) where position = ?",
          JSON.stringify({ code: 70501, message: 'The local store was damaged' }),
          Date.now(),
          Number(position),
        ),
    }
  }
}

function entryFault(text: string, id: string): string | null {
  try {
    const parsed = parseOperation(JSON.parse(text), LIMITS)
    if ('error' in parsed) return parsed.error.message
    return parsed.ok.id === id ? null : 'it has another id'
  } catch (cause) {
    return (cause as Error).message
  }
}

function* valueDamage(db: Readable): Iterable<Damage> {
  for (const { key, value } of db.all('select key, value from vals')) {
    if (isJson(value)) continue
    yield {
      kind: 'value',
      what: `The setting "${key}" can't be read`,
      repair: 'it is removed: the default holds until it is learnt again',
      fix: (store) => void store.run('delete from vals where key = ?', String(key)),
    }
  }
}

type Row = ReturnType<Sqlite['all']>[number]

function* summaryDamage(summaries: Map<string, Row>): Iterable<Damage> {
  for (const [document, row] of summaries) {
    const isConversation = parseDocumentName(document)?.kind === 'conversation'
    const isWhole = isJson(row.data, (data) => {
      if (!isConversation) return true
      const { record, messageCount, highestIndex } = (data ?? {}) as { [key: string]: unknown }
      return (
        (record as { sid?: unknown })?.sid === document &&
        Number.isSafeInteger(messageCount) &&
        Number.isSafeInteger(highestIndex)
      )
    })
    if (isWhole) continue
    summaries.delete(document)
    yield {
      kind: 'summary',
      what: `The summary of ${document} can't be read`,
      repair: 'it is removed, and fetched again',
      fix: (store) => void store.run('delete from summaries where document = ?', document),
    }
  }
}

function* documentDamage(
  db: Readable,
  summaries: ReadonlyMap<string, Row>,
  owner: StoreOwner | null,
): Iterable<Damage> {
  for (const row of db.all('select distinct document, epoch from updates')) {
    const document = String(row.document)
    const epoch = Number(row.epoch)
    const summary = summaries.get(document)
    const doc = new Y.Doc()
    const fault = documentFault(db, document, epoch, doc)
    const rescued = owner ? outboxOf(doc, owner.identity) : []
    const remove = (kind: string, what: string): Damage => ({
      kind,
      what,
      repair: `it is removed, and fetched again${rescued.length > 0 ? '; what was written here stays in the journal' : ''}`,
      fix(store) {
        for (const operation of rescued) keepOperation(store, document, operation)
        store.run('delete from updates where document = ? and epoch = ?', document, epoch)
      },
    })
    if (fault) yield remove('document', `The copy of ${document} ${fault}`)
    else if (!summary) {
      // one that was begun here and was never told of is nobody else's
      if (doc.getMap('conversation').size > 0 || rescued.length === 0)
        yield remove('document-orphan', `There is a copy of ${document}, and nothing that tells of it`)
    } else if (Number(summary.epoch) !== epoch)
      yield remove('document-epoch', `There is a copy of ${document} from an earlier epoch (${epoch})`)
  }
}

/** Null when the copy can be read and makes sense. */
function documentFault(db: Readable, document: string, epoch: number, doc: Y.Doc): string | null {
  try {
    for (const { bytes } of db.all(
      'select bytes from updates where document = ? and epoch = ? order by key',
      document,
      epoch,
    ))
      Y.applyUpdate(doc, bytes as Uint8Array)
  } catch {
    return "can't be read"
  }
  if (!isComplete(doc)) return 'lacks a part'
  if (parseDocumentName(document)?.kind !== 'conversation') return null
  const seen = new Set<number>()
  for (const { index, sid } of doc.getArray<MessageRecord>('messages')) {
    if (!Number.isSafeInteger(index) || index < 0 || typeof sid !== 'string')
      return 'has a message without an index'
    if (seen.has(index)) return `has two messages with the index ${index}`
    seen.add(index)
  }
  return null
}

const outboxOf = (doc: Y.Doc, identity: string): Operation[] =>
  doc
    .getArray<Operation>(outboxName(identity))
    .toArray()
    .filter((operation) => entryFault(JSON.stringify(operation) ?? '', operation?.id) === null)

/** An operation's id makes it idempotent: one that was decided meanwhile does nothing twice. */
function keepOperation(db: Sqlite, document: DocumentName, operation: Operation): void {
  db.run(
    "insert or ignore into entries (id, document, operation, state) values (?, ?, ?, 'pending')",
    operation.id,
    document,
    JSON.stringify(operation),
  )
}

function* pageDamage(db: Readable, summaries: ReadonlyMap<string, Row>): Iterable<Damage> {
  const named = new Map<string, Set<string> | null>()
  for (const { document: name, hash: key } of db.all('select document, hash from pages')) {
    const [document, hash] = [String(name), String(key)]
    // each file of an index is read by who uses it, and made again
    if (document === FILES) continue
    const remove = (kind: string, what: string): Damage => ({
      kind,
      what,
      repair: 'it is removed, and fetched again when somebody reads it',
      fix: (store) => void store.run('delete from pages where document = ? and hash = ?', document, hash),
    })
    const fault = pageFault(db, document, hash)
    if (fault) {
      yield remove('page', `A page of ${document} ${fault}`)
      continue
    }
    const summary = summaries.get(document)
    if (!summary) {
      yield remove('page-orphan', `There is a page of ${document}, and nothing that tells of it`)
      continue
    }
    if (!named.has(document)) named.set(document, manifestHashes(db, document, Number(summary.epoch)))
    if (named.get(document)?.has(hash) === false)
      yield remove('page-orphan', `There is a page of ${document} that its history no longer names`)
  }
}

function pageFault(db: Readable, document: string, hash: string): string | null {
  const bytes = db.get('select bytes from pages where document = ? and hash = ?', document, hash)
    ?.bytes as Uint8Array
  if (pageHash(bytes) !== hash) return 'is not what its name says'
  try {
    decodePage(bytes)
    return null
  } catch {
    return "can't be read"
  }
}

/** Null when the copy can't tell. */
function manifestHashes(db: Readable, document: string, epoch: number): Set<string> | null {
  const doc = new Y.Doc()
  if (documentFault(db, document, epoch, doc)) return null
  const history = doc.getMap('history')
  const { pages, end } = readManifest((key) => history.get(key))
  // one that is made here before the relay names it
  if (end === 0 || pages.some(({ hash, count }) => hash === '' && count > 0)) return null
  return new Set(pages.map(({ hash }) => hash))
}

function isJson(text: unknown, accept: (value: unknown) => boolean = () => true): boolean {
  try {
    return accept(JSON.parse(String(text)))
  } catch {
    return false
  }
}
