/** Posting, editing and removing messages. */
import {
  type MessageEdit,
  type MessagePost,
  type MessageRemove,
  type MessageReport,
  type MessageRestore,
  messageSidOf,
} from '../operations.ts'
import { receiptsFor, withReports } from '../receipts.ts'
import type { MessageRecord } from '../records.ts'
import { can, type Permission, type Standing } from '../roles.ts'
import { participantSid } from '../sid.ts'
import type { Change, Decision } from '../state.ts'
import { stateOf } from './conversation.ts'
import { accepted, defined, need, orAbsent, patchedAttributes, refused, type Scene } from './verdicts.ts'

export function post(scene: Scene, operation: MessagePost): Decision {
  const { state, conversation, context, standing } = scene
  const { now } = context
  need(standing, operation.media?.length ? 'sendMediaMessage' : 'sendMessage')
  const author = operation.author ?? standing.name
  if (standing.identity !== null && author !== standing.identity) {
    return refused(20403, 'Only a system actor posts in the name of somebody else')
  }
  const current = stateOf(conversation)
  if (current === 'closed') return refused(50382)
  const sid = messageSidOf(operation.id)
  if (state.message(sid)) return refused(70105)

  const writer = standing.identity === null ? authorSid(scene, author) : standing.participant?.sid
  const record: MessageRecord = defined({
    sid,
    index: state.highestIndex + 1,
    author,
    participantSid: writer,
    body: operation.body,
    subject: operation.subject,
    attributes: orAbsent(operation.attributes),
    media: operation.media?.length ? operation.media : undefined,
    dateCreated: now,
    dateWritten: operation.dateWritten === now ? undefined : operation.dateWritten,
    receipts: receiptsFor(scene.state, writer),
  })
  const changes: Change[] = [{ type: 'message.append', record }]
  if (current === 'inactive') {
    const active = { current: 'active' as const, dateUpdated: now }
    changes.push({ type: 'conversation.set', values: { state: active, dateUpdated: now } })
  }
  return accepted(...changes)
}

export function edit(scene: Scene, operation: MessageEdit): Decision {
  const { state, context, standing } = scene
  const { limits, now } = context
  const message = state.message(operation.sid)
  if (!message) return refused(20404, 'There is no such message')
  if (operation.body !== undefined) needFor(standing, message, 'editOwnMessage', 'editAnyMessage')
  if (operation.attributes !== undefined) {
    needFor(standing, message, 'editOwnMessageAttributes', 'editAnyMessageAttributes')
  }
  const patched = patchedAttributes(message.attributes, operation.attributes, limits.attributesBytes, limits)
  const body = operation.body ?? message.body
  if (!patched && body === message.body) return accepted()
  const record: MessageRecord = defined({
    ...message,
    ...patched,
    body,
    dateUpdated: now,
    lastUpdatedBy: standing.name,
  })
  return accepted({ type: 'message.replace', record })
}

/** Removing what is not there is accepted and changes nothing: two people may remove the same message offline. */
export function remove({ state, standing }: Scene, operation: MessageRemove): Decision {
  const message = state.message(operation.sid)
  if (!message) return accepted()
  needFor(standing, message, 'deleteOwnMessage', 'deleteAnyMessage')
  const changes: Change[] = [{ type: 'message.delete', record: message }]
  // devices learn the next index from the messages that they have
  if (message.index === state.highestIndex) {
    changes.push({ type: 'conversation.set', values: { highestIndex: message.index } })
  }
  return accepted(...changes)
}

/**
 * A message that was lost comes again, behind what is there. Whether it was removed meanwhile is the relay's to know
 * before it asks, by the decision of its post. A closed conversation takes it, too: it is nothing new.
 */
export function restore({ state, context, standing }: Scene, operation: MessageRestore): Decision {
  need(standing, 'restoreMessages')
  if (state.message(operation.sid)) return accepted()
  const { sid, author, participantSid, body, subject, attributes, media, dateWritten } = operation
  const record: MessageRecord = defined({
    sid,
    index: state.highestIndex + 1,
    author,
    participantSid,
    body,
    subject,
    attributes: orAbsent(attributes),
    media,
    dateCreated: context.now,
    dateWritten: dateWritten === context.now ? undefined : dateWritten,
    restored: true as const,
  })
  return accepted({ type: 'message.append', record })
}

/** Statuses that arrive late or twice change nothing; see `withReports`. */
export function report({ state, context, standing }: Scene, operation: MessageReport): Decision {
  if (standing.identity !== null) return refused(20403, 'Only a channel says how far a message came')
  const message = state.message(operation.sid)
  if (!message) return refused(20404, 'There is no such message')
  const receipts = withReports(message, operation.receipts, context.now)
  return receipts === message.receipts
    ? accepted()
    : accepted({ type: 'message.replace', record: { ...message, receipts } })
}

function needFor(standing: Standing, message: MessageRecord, own: Permission, any: Permission): void {
  const isOwn = standing.identity !== null && message.author === standing.identity
  if (!(isOwn && can(standing, own))) need(standing, any)
}

/** The participant that a system actor's `author` names: a chat identity, or a non-chat address. */
function authorSid({ state, conversation }: Scene, author: string): string | undefined {
  const chat = state.participant(participantSid(conversation.sid, { identity: author }))
  if (chat) return chat.sid
  if (state.nonChatCount === 0) return undefined
  for (const { sid, binding } of state.participants()) if (binding?.address === author) return sid
  return undefined
}
