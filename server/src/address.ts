/** Addresses of people without the SDK, in the one form that conversations know. */
import { addressType } from '@confab/core'
import { parsePhoneNumberFromString } from 'libphonenumber-js/min'

const WHATSAPP = 'whatsapp:'

/**
 * E.164 for numbers (`+1 (555) 000-1111`, `tel:+1-555-000-1111` and the like are taken), `whatsapp:` and E.164, or an
 * e-mail address with its host in small letters. Null when it is none of them, or no network has such a number.
 */
export function normaliseAddress(text: string): string | null {
  const trimmed = text.trim()
  if (trimmed.includes('@')) return emailAddress(trimmed)
  const isWhatsApp = trimmed.toLowerCase().startsWith(WHATSAPP)
  const number = parsePhoneNumberFromString(isWhatsApp ? trimmed.slice(WHATSAPP.length) : trimmed)
  if (!number?.isPossible()) return null
  return isWhatsApp ? WHATSAPP + number.number : number.number
}

/** Whether the address can be somebody's: its number has a length that its country has. */
export const isPossibleAddress = (address: string): boolean => normaliseAddress(address) !== null

/** What is before the last @ is its host's to tell apart; what is behind it is the same in any letters. */
function emailAddress(text: string): string | null {
  const at = text.lastIndexOf('@')
  const address = text.slice(0, at) + text.slice(at).toLowerCase()
  return addressType(address) === 'email' ? address : null
}
