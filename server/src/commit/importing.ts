/**
 * Taking a conversation in that was exported elsewhere, whole or piece by piece: the same sids, indices, dates and
 * horizons. First what can be against it, by looking; then the changes, which nothing is against.
 *
 * Messages come first and people last: until those are in, nobody sees it, so that nobody's new message takes an index
 * of one that is still to come.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  ConfabError,
  type DirectoryRecord,
  type MessageRecord,
  type ParticipantRecord,
  stateOf,
} from '@confab/core'
import type { Exported } from '../import/exported.ts'
import type { Store } from '../store/store.ts'
import type { DocumentModel } from './document.ts'
import type { PrivateChanges } from './private-changes.ts'

export interface Imported {
  /** Messages that were written now. */
  messages: number
  /** People who came in now. */
  people: number
  /** What could not be kept as it was. */
  warnings: string[]
}

/** An import, after everything was looked at that may be against it. */
interface CheckedImport {
  exported: Exported
  /** Those that aren't here. */
  messages: MessageRecord[]
  people: Exported['participants']
  isNameFree: boolean
  warnings: string[]
}

/** @throws ConfabError 70105 when another conversation has its sid */
export async function checkedImport(
  store: Pick<Store, 'messageRange' | 'uniqueNameOwner' | 'bindingOwner'>,
  model: DocumentModel,
  exported: Exported,
): Promise<CheckedImport> {
  const { record, participants, messages } = exported
  const { head, conversation } = model
  const warnings: string[] = []
  const beginning = messages.filter(({ index }) => index <= head.highestIndex)
  const [first, last] = [beginning[0], beginning.at(-1)]
  const there = first && last ? await store.messageRange(head.key, first.index, last.index + 1) : []
  const isSame =
    !conversation ||
    (conversation.createdBy === record.createdBy &&
      conversation.dateCreated === record.dateCreated &&
      there.length === beginning.length &&
      there.every((one, at) => isDeepStrictEqual(one.record, beginning[at])))
  if (head.deleted || !isSame)
    throw new ConfabError(
      70105,
      `The service has a conversation ${record.sid}, and it is not the beginning of this one`,
    )
  const { uniqueName } = record
  const owner =
    conversation || uniqueName === undefined ? null : await store.uniqueNameOwner(head.serviceSid, uniqueName)
  if (owner !== null)
    warnings.push(`the unique name "${uniqueName}" is taken: the conversation comes without it`)
  const people: Exported['participants'] = []
  // who is here, and who has gone since, is the business of those who are here
  for (const one of isPeopled(model) ? [] : participants) {
    if (await isFree(store, head.serviceSid, exported, one.record)) people.push(one)
    else warnings.push(`${one.record.sid} stays out: its addresses are in another conversation`)
  }
  return {
    exported,
    messages: messages.slice(beginning.length),
    people,
    isNameFree: owner === null,
    warnings,
  }
}

/** A closed conversation holds no addresses. */
async function isFree(
  store: Pick<Store, 'bindingOwner'>,
  serviceSid: string,
  { record }: Exported,
  { binding }: ParticipantRecord,
): Promise<boolean> {
  if (!binding || stateOf(record) === 'closed') return true
  const owner = await store.bindingOwner(serviceSid, binding.address, binding.proxyAddress)
  return owner === null || owner === record.sid
}

export function takeIn(
  model: DocumentModel,
  { exported, messages, people, isNameFree, warnings }: CheckedImport,
  privately: PrivateChanges,
): Imported {
  if (!model.conversation) {
    const { highestIndex: _, creatorPending: __, invites: ___, uniqueName, ...values } = exported.record
    const named = isNameFree && uniqueName !== undefined ? { uniqueName } : {}
    model.apply([{ type: 'conversation.set', values: { ...values, ...named } }])
  }
  for (const record of messages) {
    model.apply([{ type: 'message.append', record }])
    // its post was decided: a device that still has it doesn't post it again
    model.remember({ id: record.sid.slice(2), verdict: 'accepted' }, record.author)
  }
  if (isEnd(exported)) letIn(model, exported, people, privately)
  return { messages: messages.length, people: people.length, warnings }
}

/** A piece without people is followed by others, unless nothing but the conversation itself is in it. */
const isEnd = ({ participants, messages }: Exported): boolean =>
  participants.length > 0 || messages.length === 0

function isPeopled(model: DocumentModel): boolean {
  return model.size('participants') > 0 || model.conversation?.creatorPending === true
}

/** People, on their lists; their horizons; and that indices of removed messages at the end are not given again. */
function letIn(
  model: DocumentModel,
  { record }: Exported,
  people: Exported['participants'],
  privately: PrivateChanges,
): void {
  const { creatorPending, createdBy, invites, state, highestIndex } = record
  if (highestIndex !== undefined && highestIndex > model.highestIndex) {
    model.head.highestIndex = highestIndex
    model.apply([{ type: 'conversation.set', values: { highestIndex } }])
  }
  if (isPeopled(model)) return
  const uniqueName = model.conversation?.uniqueName
  const entry: DirectoryRecord = {
    sid: record.sid,
    status: 'joined',
    since: record.dateCreated,
    ...(uniqueName === undefined ? {} : { uniqueName }),
  }
  const lists = new Map<string, DirectoryRecord>()
  if (creatorPending) lists.set(createdBy, { ...entry, status: 'created' })
  for (const { record: participant, read } of people) {
    model.apply([{ type: 'participant.put', record: participant }])
    if (read) model.apply([{ type: 'read.put', record: read }])
    if (participant.identity !== undefined)
      lists.set(participant.identity, { ...entry, since: participant.dateCreated })
  }
  for (const [identity, own] of lists) {
    const listed = { type: 'directory.put', identity, record: own } as const
    model.apply([listed])
    privately.directory(model.head.serviceSid, listed)
  }
  const last = {
    ...(creatorPending && { creatorPending }),
    ...(invites && { invites }),
    // said again with people in it: a closed conversation lets go of their addresses
    ...(state && { state }),
  }
  if (Object.keys(last).length > 0) model.apply([{ type: 'conversation.set', values: last }])
}
