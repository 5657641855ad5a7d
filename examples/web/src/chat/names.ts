import type { Conversation, Participant } from '@confab/client'

export const nameOf = ({ friendlyName, uniqueName }: Conversation): string =>
  friendlyName || uniqueName || 'Conversation'

/** What somebody without the SDK is called: their address. */
export function participantName({ identity, type, bindings }: Participant): string {
  if (identity) return identity
  const binding = (bindings as { [kind: string]: { address?: string } | undefined })[type]
  return binding?.address?.replace('whatsapp:', '') ?? type
}

const KINDS: { [type: string]: string } = { sms: 'SMS', whatsapp: 'WhatsApp', email: 'E-mail', chat: '' }

/** By which way somebody takes part, where that isn't the SDK. */
export const kindOf = ({ type }: Participant): string => KINDS[type] ?? type
