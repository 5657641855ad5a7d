import type { Conversation, Participant } from '@confab/client'
import type { NameOf } from '../lib/person-names.ts'

export const nameOf = ({ friendlyName, uniqueName }: Conversation): string =>
  friendlyName || uniqueName || 'Conversation'

/** What somebody without the SDK is called: their address. */
export function participantName({ identity, type, bindings }: Participant, names: NameOf): string {
  if (identity) return names(identity)
  const binding = (bindings as { [kind: string]: { address?: string } | undefined })[type]
  return binding?.address?.replace(/^whatsapp:/, '') ?? type
}

const KINDS: { [type: string]: string } = { sms: 'SMS', whatsapp: 'WhatsApp', email: 'E-mail', chat: '' }

/** By which way somebody takes part, where that isn't the SDK. */
export const kindOf = ({ type }: Participant): string => KINDS[type] ?? type

/** Sid of the role `channel admin`: roles that every relay has are named by a hash, the same everywhere. */
export const CHANNEL_ADMIN = 'RL571b43bb74b892a6f9c57999bcedaf65'

export const isAdmin = (participant: Participant | undefined): boolean =>
  participant?.roleSid === CHANNEL_ADMIN
