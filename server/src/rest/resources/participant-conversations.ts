/** `ParticipantConversations`: where somebody takes part, found by identity or by address. */
import { ConfabError, normaliseIdentity, stateOf, userSid } from '@confab/core'
import * as z from 'zod'
import { normaliseAddress } from '../../address.ts'
import { readConversation } from '../../store/read-conversation.ts'
import { page } from '../paging.ts'
import { paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { anything, bindingShape, date, dates, json, links, maybe, text, timersOf } from '../shapes.ts'

const answer = z.object({
  account_sid: text,
  chat_service_sid: text,
  participant_sid: text,
  participant_user_sid: maybe,
  participant_identity: maybe,
  participant_messaging_binding: anything.nullable(),
  conversation_sid: text,
  conversation_unique_name: maybe,
  conversation_friendly_name: maybe,
  conversation_attributes: text,
  conversation_date_created: date,
  conversation_date_updated: date,
  conversation_created_by: text,
  conversation_state: z.enum(['active', 'inactive', 'closed']),
  conversation_timers: anything,
  links,
})

export const participantConversations: readonly Route[] = [
  route({
    method: 'GET',
    path: '/ParticipantConversations',
    resource: 'ParticipantConversations',
    summary: 'Lists the conversations in which an identity, or an address, takes part',
    parameters: paging.extend({ Identity: textField.optional(), Address: textField.optional() }),
    answer,
    list: 'conversations',
    handle: async (call, { Identity, Address, ...rest }) => {
      if ((Identity === undefined) === (Address === undefined)) {
        throw new ConfabError(20001, 'Exactly one of Identity and Address is needed')
      }
      const who =
        Identity === undefined
          ? { address: normaliseAddress(Address ?? '') ?? Address ?? '' }
          : { identity: normaliseIdentity(Identity, call.relay.limits) }
      const { store } = call.relay
      return page(
        call,
        'conversations',
        rest,
        (span, limit) => store.catalogue.conversationsWith(call.serviceSid, who, span, limit),
        async ({ sid }): Promise<z.infer<typeof answer> | null> => {
          const found = await readConversation(store, call.serviceSid, sid)
          const participant = found?.participants.find((one) =>
            'identity' in who ? one.identity === who.identity : one.binding?.address === who.address,
          )
          if (!found || !participant) return null
          const { record } = found
          const { date_created, date_updated } = dates(record)
          const { identity } = participant
          const url = `${call.base}/Conversations/${sid}`
          return {
            account_sid: call.accountSid,
            chat_service_sid: call.serviceSid,
            participant_sid: participant.sid,
            participant_user_sid: identity === undefined ? null : userSid(call.serviceSid, identity),
            participant_identity: identity ?? null,
            participant_messaging_binding: bindingShape(participant),
            conversation_sid: sid,
            conversation_unique_name: record.uniqueName ?? null,
            conversation_friendly_name: record.friendlyName ?? null,
            conversation_attributes: json(record.attributes),
            conversation_date_created: date_created,
            conversation_date_updated: date_updated,
            conversation_created_by: record.createdBy,
            conversation_state: stateOf(record),
            conversation_timers: timersOf(record),
            links: { participant: `${url}/Participants/${participant.sid}`, conversation: url },
          }
        },
      )
    },
  }),
]
