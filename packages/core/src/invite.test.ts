import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ConfabError } from './error.ts'
import {
  decodeInvite,
  encodeInvite,
  INVITE_EXPIRY_LATEST,
  inviteSecretBytes,
  inviteSecretText,
} from './invite.ts'

const SEED = 20_260_102
const hex32 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))
const invite = fc.record(
  {
    conversationSid: hex32.map((hex) => `CH${hex}`),
    secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    expiresAt: fc.integer({ min: 0, max: INVITE_EXPIRY_LATEST }),
    roleSid: hex32.map((hex) => `RL${hex}`),
    friendlyName: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  },
  { requiredKeys: ['conversationSid', 'secret', 'expiresAt', 'roleSid'] },
)

const codeOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfabError) return error.code
    throw error
  }
  return null
}

test('an invite comes out of its string as it went in', () => {
  fc.assert(
    fc.property(invite, (given) => {
      fc.pre(Buffer.byteLength(given.friendlyName ?? '') <= 96)
      expect(decodeInvite(` ${encodeInvite(given)}\n`)).toEqual(given)
    }),
    { seed: SEED },
  )
})

test('an invite is URL-safe and fits a QR code, however long the name', () => {
  fc.assert(
    fc.property(invite, fc.string({ unit: 'grapheme', minLength: 90 }), (given, friendlyName) => {
      const text = encodeInvite({ ...given, friendlyName })
      expect(text).toMatch(/^[A-Za-z0-9_-]{90,230}$/)
      expect(friendlyName.startsWith(decodeInvite(text).friendlyName ?? '')).toBe(true)
    }),
    { seed: SEED },
  )
})

test('a mistyped, cut or lengthened invite is told apart at once', () => {
  fc.assert(
    fc.property(invite, fc.nat(), fc.constantFrom('A', 'z', '0', '-', '_', '*', ''), (given, at, typed) => {
      const text = encodeInvite(given)
      const i = at % text.length
      const other = text.slice(0, i) + typed + text.slice(i + 1)
      fc.pre(other !== text)
      expect(codeOf(() => decodeInvite(other))).toBe(70203)
      expect(codeOf(() => decodeInvite(text + typed.padEnd(1, 'A')))).toBe(70203)
    }),
    { seed: SEED },
  )
})

test('whatever is no invite is 70203 and nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      expect(codeOf(() => decodeInvite(text))).toBe(70203)
    }),
    { seed: SEED },
  )
})

test('an invite with a malformed field is not made', () => {
  const good = {
    conversationSid: `CH${'0'.repeat(32)}`,
    roleSid: `RL${'0'.repeat(32)}`,
    secret: new Uint8Array(32),
    expiresAt: 1,
  }
  expect(encodeInvite(good)).toHaveLength(100)
  expect(codeOf(() => encodeInvite({ ...good, conversationSid: 'CH1' }))).toBe(20001)
  expect(codeOf(() => encodeInvite({ ...good, roleSid: good.conversationSid }))).toBe(20001)
  expect(codeOf(() => encodeInvite({ ...good, secret: new Uint8Array(31) }))).toBe(20001)
  expect(codeOf(() => encodeInvite({ ...good, expiresAt: INVITE_EXPIRY_LATEST + 1 }))).toBe(20001)
})

test('a secret has one text', () => {
  const secret = new Uint8Array(32).fill(255)
  const text = inviteSecretText(secret)
  expect(inviteSecretBytes(text)).toEqual(secret)
  // the same bytes, with left-over bits in the last character
  expect(codeOf(() => inviteSecretBytes(`${text.slice(0, -1)}9`))).toBe(70203)
  expect(codeOf(() => inviteSecretBytes(text.slice(1)))).toBe(70203)
})
