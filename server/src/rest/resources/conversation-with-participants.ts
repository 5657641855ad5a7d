/** `ConversationWithParticipants`: a conversation and everybody in it, by one request. */
import { ConfabError, isJsonObject, type Json } from '@confab/core'
import type { Call } from '../call.ts'
import { list, text } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { conversationAnswer } from '../shapes.ts'
import { conversationFields, createConversation, shownConversation } from './conversations.ts'
import { addParticipant } from './participants.ts'

/** Participants of one request (Twilio: 10). */
const MOST = 10

export const conversationWithParticipants: readonly Route[] = [
  route({
    method: 'POST',
    path: '/ConversationWithParticipants',
    resource: 'ConversationWithParticipants',
    summary: 'Creates a conversation with up to ten participants, or nothing',
    parameters: conversationFields.extend({ Participant: list(text).optional() }),
    answer: conversationAnswer,
    status: 202,
    handle: async (call, { Participant = [], ...fields }) => {
      if (Participant.length > MOST)
        throw new ConfabError(20001, `Participant may be given ${MOST} times at most`)
      const people = Participant.map(participantFields)
      const sid = await createConversation(call, fields)
      try {
        for (const one of people) await addParticipant(call, sid, one)
      } catch (error) {
        await undo(call, sid)
        throw error
      }
      return shownConversation(call, sid)
    },
  }),
]

const undo = (call: Call, sid: string) => call.submit(sid, { type: 'conversation.delete' })

function json(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new ConfabError(20001, 'Participant must be JSON')
  }
}

/** `{ "identity": "ada" }` or `{ "messaging_binding": { "address": "+1…", "proxy_address": "+1…" } }`. */
function participantFields(given: string): Parameters<typeof addParticipant>[2] {
  const parsed = json(given)
  if (!isJsonObject(parsed)) throw new ConfabError(20001, 'Participant must be an object')
  const { identity, messaging_binding: binding = {}, attributes, role_sid: roleSid, ...rest } = parsed
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    throw new ConfabError(20001, `Participant: unknown field ${unknown.slice(0, 64)}`)
  if (!isJsonObject(binding)) throw new ConfabError(20001, 'Participant: messaging_binding must be an object')
  const textOf = (name: string, value: Json | undefined) => {
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'string') throw new ConfabError(20001, `Participant: ${name} must be a string`)
    return value
  }
  const shaped = {
    Identity: textOf('identity', identity),
    'MessagingBinding.Address': textOf('address', binding.address),
    'MessagingBinding.ProxyAddress': textOf('proxy_address', binding.proxy_address),
    'MessagingBinding.ProjectedAddress': textOf('projected_address', binding.projected_address),
    RoleSid: textOf('role_sid', roleSid),
    Attributes: typeof attributes === 'string' ? json(attributes) : attributes,
  }
  return shaped
}
