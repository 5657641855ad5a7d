/** Creating, changing, closing and deleting a conversation. */
import type { ConversationCreate, ConversationUpdate } from '../operations.ts'
import type { ConversationRecord, ConversationStateName } from '../records.ts'
import type { Standing } from '../roles.ts'
import { conversationSid } from '../sid.ts'
import type { Change, ConversationState, DecideContext, Decision } from '../state.ts'
import {
  accepted,
  defined,
  directoryRecord,
  need,
  orAbsent,
  patchedAttributes,
  refused,
  type Scene,
} from './verdicts.ts'

/**
 * Whether the sid is really made from this creator and nonce. Asked before any look-up, so that creating over a
 * known sid reveals nothing.
 * @param creator the identity, or null for a system actor
 */
export function ownsSid(sid: string, creator: string | null, nonce: string): boolean {
  return sid === conversationSid(creator ?? '', nonce)
}

export function create(
  state: ConversationState,
  operation: ConversationCreate,
  context: DecideContext,
  standing: Standing,
): Decision {
  const { now, limits } = context
  const sid = context.conversationSid
  if (!ownsSid(sid, standing.identity, operation.nonce)) {
    return refused(20001, "The conversation's sid is not made from its creator and this nonce")
  }
  if (state.conversation !== null) return refused(70105)
  need(standing, 'createConversation')
  if (
    standing.identity !== null &&
    context.conversationCount(standing.identity) >= limits.conversationsPerIdentity
  ) {
    return refused(50422, `An identity has at most ${limits.conversationsPerIdentity} conversations`)
  }

  const taken = operation.uniqueName !== undefined && isTaken(operation.uniqueName, context)
  const record: ConversationRecord = defined({
    sid,
    friendlyName: operation.friendlyName,
    uniqueName: taken ? undefined : operation.uniqueName,
    attributes: orAbsent(operation.attributes),
    createdBy: standing.name,
    dateCreated: now,
    timers: operation.timers && Object.keys(operation.timers).length > 0 ? operation.timers : undefined,
    // the system needs no admin rights of its own: it has them all
    creatorPending: standing.identity === null ? undefined : (true as const),
  })
  const changes: Change[] = [{ type: 'conversation.set', values: record }]
  if (standing.identity !== null) {
    changes.push({
      type: 'directory.put',
      identity: standing.identity,
      record: directoryRecord(record, 'created', now),
    })
  }
  if (!taken) return accepted(...changes)
  const message = `The unique name is taken: the conversation was created without it`
  return { verdict: 'accepted', changes, warnings: [{ code: 50353, message }] }
}

export function update(scene: Scene, operation: ConversationUpdate): Decision {
  const { conversation, context, standing } = scene
  const { now, limits } = context
  const values: Partial<ConversationRecord> = {}

  if (operation.friendlyName !== undefined) {
    need(standing, 'editConversationName')
    const friendlyName = operation.friendlyName ?? undefined
    if (friendlyName !== conversation.friendlyName) values.friendlyName = friendlyName
  }
  if (operation.uniqueName !== undefined) {
    need(standing, 'editConversationName')
    const uniqueName = operation.uniqueName ?? undefined
    if (uniqueName !== undefined && isTaken(uniqueName, context)) return refused(50353)
    if (uniqueName !== conversation.uniqueName) values.uniqueName = uniqueName
  }
  if (operation.attributes !== undefined) {
    need(standing, 'editConversationAttributes')
    const patched = patchedAttributes(
      conversation.attributes,
      operation.attributes,
      limits.conversationAttributesBytes,
      limits,
    )
    if (patched) values.attributes = patched.attributes
  }
  if (operation.timers !== undefined) {
    need(standing, 'editConversationAttributes')
    const { inactive, closed } = operation.timers
    if (inactive !== conversation.timers?.inactive || closed !== conversation.timers?.closed) {
      values.timers = inactive === undefined && closed === undefined ? undefined : operation.timers
    }
  }
  if (operation.state !== undefined) {
    need(standing, 'editConversationAttributes')
    const current = stateOf(conversation)
    if (current === 'closed') return refused(50377, 'A closed conversation stays closed')
    if (current !== operation.state) values.state = { current: operation.state, dateUpdated: now }
  }

  if (Object.keys(values).length === 0) return accepted()
  const changes: Change[] = [{ type: 'conversation.set', values: { ...values, dateUpdated: now } }]
  // the directory is how people find a conversation by its unique name with no network
  if ('uniqueName' in values) changes.push(...directoryOfAll(scene, values.uniqueName))
  return accepted(...changes)
}

/** Final, so it needs what deleting needs: Twilio leaves it to its REST API. */
export function close({ conversation, context, standing }: Scene): Decision {
  need(standing, 'deleteConversation')
  if (stateOf(conversation) === 'closed') return accepted()
  const state = { current: 'closed' as const, dateUpdated: context.now }
  return accepted({ type: 'conversation.set', values: { state, dateUpdated: context.now } })
}

export function remove({ state, conversation, standing }: Scene): Decision {
  need(standing, 'deleteConversation')
  const changes: Change[] = []
  for (const { identity } of state.participants()) {
    if (identity !== undefined) {
      changes.push({ type: 'directory.delete', identity, conversationSid: conversation.sid })
    }
  }
  if (conversation.creatorPending) {
    changes.push({
      type: 'directory.delete',
      identity: conversation.createdBy,
      conversationSid: conversation.sid,
    })
  }
  changes.push({ type: 'conversation.delete' })
  return accepted(...changes)
}

/** The state by its name; `active` is the default. */
export function stateOf(conversation: ConversationRecord): ConversationStateName {
  return conversation.state?.current ?? 'active'
}

function isTaken(uniqueName: string, context: DecideContext): boolean {
  const owner = context.uniqueNameOwner(uniqueName)
  return owner !== null && owner !== context.conversationSid
}

function directoryOfAll(scene: Scene, uniqueName: string | undefined): Change[] {
  const named = { sid: scene.conversation.sid, uniqueName }
  const changes: Change[] = []
  for (const { identity, dateCreated } of scene.state.participants()) {
    if (identity !== undefined) {
      changes.push({
        type: 'directory.put',
        identity,
        record: directoryRecord(named, 'joined', dateCreated),
      })
    }
  }
  if (scene.conversation.creatorPending) {
    changes.push({
      type: 'directory.put',
      identity: scene.conversation.createdBy,
      record: directoryRecord(named, 'created', scene.conversation.dateCreated),
    })
  }
  return changes
}
