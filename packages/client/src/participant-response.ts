import type { Json, ParticipantRecord } from '@confab/core'
import type { StoreOwner } from './storage/storage.ts'
import type { ParticipantResponse } from './types.ts'

/**
 * A participant as the REST API writes it: `add` resolves to this, as Twilio's does, and apps read it.
 * @param httpUrl where the relay answers HTTP, with no slash at the end
 */
export function participantResponse(
  record: ParticipantRecord,
  conversationSid: string,
  owner: StoreOwner,
  httpUrl: string,
): ParticipantResponse {
  const conversation = `${httpUrl}/v1/Services/${owner.serviceSid}/Conversations/${conversationSid}`
  const attributes: Json = record.attributes ?? {}
  return {
    account_sid: owner.accountSid,
    chat_service_sid: owner.serviceSid,
    conversation_sid: conversationSid,
    role_sid: record.roleSid,
    sid: record.sid,
    attributes: JSON.stringify(attributes),
    date_created: new Date(record.dateCreated).toISOString(),
    date_updated: new Date(record.dateUpdated ?? record.dateCreated).toISOString(),
    // Twilio declares a string, and sends null for somebody without an identity
    identity: (record.identity ?? null) as string,
    messaging_binding: record.binding
      ? {
          type: record.type,
          address: record.binding.address,
          proxy_address: record.binding.proxyAddress,
        }
      : null,
    url: `${conversation}/Participants/${record.sid}`,
    links: { conversation },
  }
}
