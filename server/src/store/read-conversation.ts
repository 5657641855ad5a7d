/** A conversation as it is stored, for those who only look. */
import type { ConversationRecord, ParticipantRecord, ReadRecord } from '@confab/core'
import type { Store } from './store.ts'

export interface ConversationSnapshot {
  /** The document's key in this store. */
  key: number
  record: ConversationRecord
  participants: readonly ParticipantRecord[]
  /** Read horizons by the participant's sid. */
  reads: ReadonlyMap<string, ReadRecord>
  messageCount: number
  highestIndex: number
}

/** Null when the service has no such conversation, or it was deleted. */
export async function readConversation(
  store: Pick<Store, 'load'>,
  serviceSid: string,
  sid: string,
): Promise<ConversationSnapshot | null> {
  const loaded = await store.load(serviceSid, sid)
  if (!loaded || loaded.head.deleted || loaded.head.kind !== 'conversation') return null
  const record: { [key: string]: unknown } = {}
  const participants: ParticipantRecord[] = []
  for (const { root, key, value } of loaded.mapItems) {
    if (value === undefined) continue
    if (root === 'conversation') record[key] = value
    else if (root === 'participants') participants.push(value as ParticipantRecord)
  }
  participants.sort((a, b) => a.dateCreated - b.dateCreated || (a.sid < b.sid ? -1 : 1))
  const { key, messageCount, highestIndex } = loaded.head
  return {
    key,
    record: record as unknown as ConversationRecord,
    participants,
    reads: new Map(loaded.reads.map(({ record }) => [record.participantSid, record])),
    messageCount,
    highestIndex,
  }
}
