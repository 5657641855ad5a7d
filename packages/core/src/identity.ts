/** Identities, addresses and text: what is a person's name here, checked in one place. */
import { ConfabError } from './error.ts'
import type { Limits } from './limits.ts'
import type { Identity, MessagingBindingRecord, ParticipantType } from './records.ts'

// C0, DEL and C1: invisible, and they break logs and headers
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
/** ITU-T E.164: a plus sign and at most 15 digits. */
const E164 = /^\+[1-9]\d{1,14}$/
const EMAIL = /^[^\s@]{1,64}@[^\s@]+\.[^\s@]+$/

/** Characters of `text` as people count them roughly: code points. */
export function characters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/** Whether `text` has more than `most` characters, in time proportional to `most`. */
export function isLongerThan(text: string, most: number): boolean {
  return text.length > 2 * most || characters(text) > most
}

/** `text` with each lone surrogate replaced: what is written locally must survive UTF-8. */
export function wellFormed(text: string): string {
  return text.toWellFormed()
}

/**
 * The one form of an identity: NFC, well-formed, without control characters, `identityLength` characters at most.
 * @throws ConfabError 20001
 */
export function normaliseIdentity(text: string, limits: Pick<Limits, 'identityLength'>): Identity {
  if (typeof text !== 'string' || text === '') throw new ConfabError(20001, 'An identity must not be empty')
  // before normalising: its cost must not depend on what a stranger sends
  if (text.length > 8 * limits.identityLength) throw tooLong(limits)
  if (!text.isWellFormed()) throw new ConfabError(20001, 'An identity must be well-formed Unicode')
  const identity = text.normalize('NFC')
  if (CONTROL.test(identity)) throw new ConfabError(20001, 'An identity must not contain control characters')
  if (isLongerThan(identity, limits.identityLength)) throw tooLong(limits)
  return identity
}

const tooLong = (limits: Pick<Limits, 'identityLength'>) =>
  new ConfabError(20001, `An identity has at most ${limits.identityLength} characters`)

/** The channel that an address belongs to, by its form; null when it is none. */
export function addressType(address: string): Exclude<ParticipantType, 'chat'> | null {
  if (address.startsWith('whatsapp:')) return E164.test(address.slice(9)) ? 'whatsapp' : null
  if (E164.test(address)) return 'sms'
  return !CONTROL.test(address) && address.isWellFormed() && EMAIL.test(address) ? 'email' : null
}

/**
 * The type of a non-chat participant, from the form of the two addresses.
 * @throws ConfabError 50407 (address), 50408 (proxy address), 50409 (the same), 50414 (of different channels)
 */
export function bindingType(binding: MessagingBindingRecord): Exclude<ParticipantType, 'chat'> {
  const type = addressType(binding.address)
  if (type === null)
    throw new ConfabError(50407, 'The address must be a number in E.164 form, whatsapp:+… or e-mail')
  const proxyType = addressType(binding.proxyAddress)
  if (proxyType === null) {
    throw new ConfabError(50408, 'The proxy address must be a number in E.164 form, whatsapp:+… or e-mail')
  }
  if (binding.address === binding.proxyAddress) throw new ConfabError(50409)
  if (type !== proxyType)
    throw new ConfabError(50414, `The address is of type ${type}, its proxy of type ${proxyType}`)
  return type
}
