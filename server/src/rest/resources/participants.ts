/** `Conversations/Participants`. */
import {
  ConfabError,
  diffAttributes,
  normaliseIdentity,
  type ParticipantRecord,
  participantSid,
} from '@confab/core'
import * as z from 'zod'
import { normaliseAddress } from '../../address.ts'
import { type ConversationSnapshot, readConversation } from '../../store/read-conversation.ts'
import type { Call } from '../call.ts'
import { spanOf } from '../in-memory.ts'
import { page } from '../paging.ts'
import { attributes, date, none, paging, text } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { participantAnswer, participantShape } from '../shapes.ts'

const fields = z.object({
  Identity: text.optional(),
  'MessagingBinding.Address': text.optional(),
  'MessagingBinding.ProxyAddress': text.optional(),
  'MessagingBinding.ProjectedAddress': text.optional(),
  Attributes: attributes.optional(),
  RoleSid: text.optional(),
  DateCreated: date.optional(),
  DateUpdated: date.optional(),
})

const changes = fields.omit({ 'MessagingBinding.Address': true }).extend({
  /** Empty or `null`: unread from the beginning. */
  LastReadMessageIndex: z
    .string()
    .regex(/^(|null|\d{1,15})$/, 'must be a whole number, or null')
    .optional(),
  LastReadTimestamp: text.optional(),
})

/** Adds somebody; gives the sid. */
export async function addParticipant(
  call: Call,
  conversationSid: string,
  given: Pick<z.infer<typeof fields>, keyof z.infer<typeof fields>>,
): Promise<string> {
  const { Identity, 'MessagingBinding.Address': address, Attributes, RoleSid } = given
  const proxyAddress = given['MessagingBinding.ProxyAddress']
  const projectedAddress = given['MessagingBinding.ProjectedAddress']
  const more = {
    ...(Attributes !== undefined && { attributes: Attributes }),
    ...(RoleSid !== undefined && { roleSid: RoleSid }),
  }
  if (address === undefined) {
    if (Identity === undefined) throw new ConfabError(20001, 'Identity or MessagingBinding.Address is needed')
    const identity = normaliseIdentity(Identity, call.relay.limits)
    await call.submit(conversationSid, { type: 'participant.add', identity, ...more })
    return participantSid(conversationSid, { identity })
  }
  if (Identity !== undefined)
    throw new ConfabError(20001, 'Identity and MessagingBinding.Address exclude each other')
  if (proxyAddress === undefined) throw new ConfabError(50408, 'MessagingBinding.ProxyAddress is needed')
  const binding = {
    address: normaliseAddress(address) ?? address,
    proxyAddress: normaliseAddress(proxyAddress) ?? proxyAddress,
    ...(projectedAddress !== undefined && { projectedAddress }),
  }
  await call.submit(conversationSid, { type: 'participant.add', binding, ...more })
  return participantSid(conversationSid, binding)
}

/** By sid, or by identity as Twilio allows. */
function participantOf(call: Call, conversation: ConversationSnapshot): ParticipantRecord {
  const wanted = call.part('Sid')
  const found = conversation.participants.find(({ sid, identity }) => sid === wanted || identity === wanted)
  if (!found) throw call.notFound()
  return found
}

async function shown(call: Call, conversationSid: string, sid: string) {
  const conversation = await readConversation(call.relay.store, call.serviceSid, conversationSid)
  const participant = conversation?.participants.find((one) => one.sid === sid)
  if (!conversation || !participant) throw call.notFound()
  return participantShape(call, conversationSid, participant, conversation.reads.get(sid))
}

const path = '/Conversations/{ConversationSid}/Participants'
const resource = 'Participants'

export const participants: readonly Route[] = [
  route({
    method: 'POST',
    path,
    resource,
    summary: 'Adds a person of the SDK, or an address on a channel',
    parameters: fields,
    answer: participantAnswer,
    status: 201,
    handle: async (call, given) => {
      const { record } = await call.conversation()
      return shown(call, record.sid, await addParticipant(call, record.sid, given))
    },
  }),
  route({
    method: 'GET',
    path,
    resource,
    summary: 'Lists participants, in the order in which they came',
    parameters: paging,
    answer: participantAnswer,
    list: 'participants',
    handle: async (call, given) => {
      const { record, participants, reads } = await call.conversation()
      return page(call, 'participants', given, spanOf(participants), ({ item }) =>
        participantShape(call, record.sid, item, reads.get(item.sid)),
      )
    },
  }),
  route({
    method: 'GET',
    path: `${path}/{Sid}`,
    resource,
    summary: 'Fetches a participant, by sid or identity',
    parameters: none,
    answer: participantAnswer,
    handle: async (call) => {
      const conversation = await call.conversation()
      const participant = participantOf(call, conversation)
      return participantShape(
        call,
        conversation.record.sid,
        participant,
        conversation.reads.get(participant.sid),
      )
    },
  }),
  route({
    method: 'POST',
    path: `${path}/{Sid}`,
    resource,
    summary: 'Changes a participant: attributes, role, read horizon',
    parameters: changes,
    answer: participantAnswer,
    handle: async (call, given) => {
      const conversation = await call.conversation()
      const { sid, attributes: before } = participantOf(call, conversation)
      const { Attributes, RoleSid: roleSid, LastReadMessageIndex: read } = given
      for (const name of [
        'Identity',
        'MessagingBinding.ProxyAddress',
        'MessagingBinding.ProjectedAddress',
      ] as const) {
        if (given[name] !== undefined) {
          throw new ConfabError(20001, `${name} can't be changed: remove the participant and add another`)
        }
      }
      const wanted = {
        ...(Attributes !== undefined && { attributes: diffAttributes(before ?? {}, Attributes) }),
        ...(roleSid !== undefined && { roleSid }),
      }
      if (Object.keys(wanted).length > 0) {
        await call.submit(conversation.record.sid, { type: 'participant.update', sid, ...wanted })
      }
      if (read !== undefined) {
        const index = read === '' || read === 'null' ? null : Number(read)
        await call.submit(conversation.record.sid, { type: 'read.set', participantSid: sid, index })
      }
      return shown(call, conversation.record.sid, sid)
    },
  }),
  route({
    method: 'DELETE',
    path: `${path}/{Sid}`,
    resource,
    summary: 'Removes a participant',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const conversation = await call.conversation()
      const { sid } = participantOf(call, conversation)
      await call.submit(conversation.record.sid, { type: 'participant.remove', sid })
      return null
    },
  }),
]
