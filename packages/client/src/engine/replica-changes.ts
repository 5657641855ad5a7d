/** What becomes of one conversation's records when its document changes, or another takes its place. */
import type { Manifest, MessageRecord } from '@confab/core'
import type { Replica } from './replica.ts'

/** What changed since it was last asked: the records as they were before, by sid; undefined for what wasn't there. */
export interface ReplicaChanges {
  messages: Map<string, MessageRecord | undefined>
  /** Sids of messages that are gone for good, so that their text must leave the store. */
  removed: string[]
  any: boolean
  /** Messages that left the document for a page, as they were. */
  sealed: MessageRecord[]
  /** Sealed messages that are in the document again, because they were edited; how they were is in their page. */
  edited: MessageRecord[]
  /** As it was before; null when it is still the same. */
  manifest: Manifest | null
}

export const noChanges = (): ReplicaChanges => ({
  messages: new Map(),
  removed: [],
  any: false,
  sealed: [],
  edited: [],
  manifest: null,
})

/** How the history changes when another document takes the place of one. */
export function changesTo(next: Replica, old: Replica): ReplicaChanges {
  const here = new Set(next.ordered.map(({ sid }) => sid))
  const before = new Map(old.ordered.map((record) => [record.sid, record]))
  // as it was before news that it could take only half of
  const half = old.takeChanges(true)
  for (const record of half.sealed) before.set(record.sid, record)
  for (const [sid, record] of half.messages) {
    if (record) before.set(sid, record)
    else before.delete(sid)
  }
  const records = [...before.values()].sort((a, b) => a.index - b.index)
  const sealed = records.filter(({ sid, index }) => !here.has(sid) && next.isSealed(index))
  for (const record of [...old.recalled.values(), ...sealed]) {
    if (next.isSealed(record.index)) next.recalled.set(record.sid, record)
  }
  const edited = next.ordered.filter(({ sid, index }) => index < next.manifest.end && !before.has(sid))
  return {
    messages: before,
    sealed,
    edited,
    manifest: half.manifest ?? old.manifest,
    removed: [],
    any: true,
  }
}
