/**
 * How the commits of a batch lie in a row of the journal, one behind the other: JSON of what a commit changes, and the
 * bytes of its updates. Four bytes ahead say how long the JSON is.
 */
import type { MessageRecord, Outcome, ReadRecord, StateTransition } from '@confab/core'
import type { DocumentCommit, HistoryCounts, ItemId, MapItem, OutboxClient } from '../store.ts'
import { outcomesText, outcomeText, type RootRow, rootsOf, rootsText } from './rows.ts'

type CommitRow = [
  head: [
    key: number,
    epoch: number,
    seq: number,
    roots: RootRow[],
    highestIndex: number,
    messageCount: number,
    history: [number, number, number, number, number, number],
  ],
  expectedSeq: number,
  /** Without a value: deleted. */
  mapItems: [root: string, key: string, item: ItemId, ...value: unknown[]][],
  messages: [record: MessageRecord, item: ItemId][],
  reads: [record: ReadRecord, item: ItemId][],
  outboxClients: OutboxClient[],
  /** Without an outcome: a plain acceptance. */
  decided: [id: string, identity: string, ...outcome: Outcome[]][],
  /** Bytes of the common update, and those of each private one. */
  update: number,
  parts: [identity: string, update: number, outcomes: Outcome[]][],
  /** Undefined in a commit is none here. */
  ...transition: (StateTransition | null)[],
]

/** What `JSON.stringify` would make of it. By hand, because every commit passes here. */
function rowText(commit: DocumentCommit): string {
  const { head, entry, mapItems, messages, reads, outboxClients, decided, transition } = commit
  const { key, epoch, seq, roots, highestIndex, messageCount, history } = head
  let text = `[[${key},${epoch},${seq},${rootsText(roots)},${highestIndex},${messageCount},[${countsOf(history)}]],${commit.expectedSeq},`
  text += mapItems.length === 0 ? '[],[' : `${JSON.stringify(mapItems.map(itemRow))},[`
  let between = ''
  for (const { record, item } of messages.put) {
    text += `${between}[${JSON.stringify(record)},[${item[0]},${item[1]}]]`
    between = ','
  }
  text +=
    reads.put.length === 0
      ? '],[],'
      : `],${JSON.stringify(reads.put.map(({ record, item }) => [record, item]))},`
  text += `${outboxClients.length === 0 ? '[]' : JSON.stringify(outboxClients)},[`
  between = ''
  for (const { id, identity, outcome } of decided) {
    const told = outcomeText(outcome)
    text += `${between}["${id}",${JSON.stringify(identity)}${told === null ? '' : `,${told}`}]`
    between = ','
  }
  text += `],${entry.update.length},[`
  between = ''
  for (const { identity, update, outcomes } of entry.private) {
    text += `${between}[${JSON.stringify(identity)},${update.length},${outcomesText(outcomes) || '[]'}]`
    between = ','
  }
  return `${text}]${transition === undefined ? '' : `,${JSON.stringify(transition)}`}]`
}

const itemRow = ({ root, key, item, value }: MapItem): unknown[] =>
  value === undefined ? [root, key, item] : [root, key, item, value]

const countsOf = ({ sealedTo, live, liveBytes, edited, editedBytes, unmade }: HistoryCounts): string =>
  `${sealedTo},${live},${liveBytes},${edited},${editedBytes},${unmade}`

/** What rows are written into, one after the other. */
let scratch = Buffer.allocUnsafe(2 ** 16)
/** Bytes that are kept for the next row. */
const KEPT = 2 ** 22

function roomFor(bytes: number, held: number): void {
  if (held + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafe(Math.max(held + bytes, 2 * scratch.length))
  scratch.copy(larger, 0, 0, held)
  scratch = larger
}

/** The bytes are overwritten by the next call. */
export function encodeCommits(commits: readonly DocumentCommit[]): Uint8Array {
  if (scratch.length > KEPT) scratch = Buffer.allocUnsafe(2 ** 16)
  let at = 0
  for (const commit of commits) {
    const { update, private: parts } = commit.entry
    const text = rowText(commit)
    let bytes = 4 + 3 * text.length + update.length
    for (const part of parts) bytes += part.update.length
    roomFor(bytes, at)
    const length = scratch.write(text, at + 4)
    scratch.writeUInt32LE(length, at)
    at += 4 + length
    scratch.set(update, at)
    at += update.length
    for (const part of parts) {
      scratch.set(part.update, at)
      at += part.update.length
    }
  }
  return scratch.subarray(0, at)
}

export function decodeCommits(bytes: Uint8Array): DocumentCommit[] {
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const commits: DocumentCommit[] = []
  let at = 0
  const take = (length: number): Uint8Array => {
    at += length
    return row.subarray(at - length, at)
  }
  while (at < row.length) {
    const json = row.readUInt32LE(at)
    at += 4 + json
    commits.push(commitOf(JSON.parse(row.toString('utf8', at - json, at)), take))
  }
  return commits
}

function commitOf(row: CommitRow, take: (length: number) => Uint8Array): DocumentCommit {
  const [head, expectedSeq, mapItems, messages, reads, outboxClients, decided, length, parts, transition] =
    row
  const [key, epoch, seq, roots, highestIndex, messageCount, counts] = head
  const [sealedTo, live, liveBytes, edited, editedBytes, unmade] = counts
  const update = take(length)
  return {
    // what stays as it is in the tables is not repeated
    head: {
      key,
      serviceSid: '',
      document: '',
      kind: 'conversation',
      epoch,
      seq,
      roots: rootsOf(roots),
      highestIndex,
      messageCount,
      history: { sealedTo, live, liveBytes, edited, editedBytes, unmade },
    },
    expectedSeq,
    mapItems: mapItems.map(([root, key, item, value]) => ({ root, key, item, value })),
    messages: { put: messages.map(([record, item]) => ({ record, item })), delete: [] },
    reads: { put: reads.map(([record, item]) => ({ record, item })), delete: [] },
    outboxClients,
    decided: decided.map(([id, identity, outcome]) => ({
      id,
      identity,
      outcome: outcome ?? { id, verdict: 'accepted' },
    })),
    entry: {
      seq: expectedSeq,
      update,
      private: parts.map(([identity, length, outcomes]) => ({ identity, update: take(length), outcomes })),
    },
    ...(transition !== undefined && { transition }),
  }
}
