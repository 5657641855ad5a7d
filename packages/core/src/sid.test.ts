import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  conversationSid,
  fromHex,
  inviteHash,
  isHexId,
  isSid,
  participantSid,
  roleSid,
  toHex,
  userSid,
  uuidV7,
} from './sid.ts'

const SEED = 20_260_103
const words = fc.tuple(fc.string(), fc.string())

test('every kind of sid is its prefix and 32 hex digits', () => {
  expect(isSid('CH', conversationSid('alice', '0'.repeat(32)))).toBe(true)
  expect(isSid('MB', participantSid('CH1', { identity: 'alice' }))).toBe(true)
  expect(isSid('MB', participantSid('CH1', { address: '+491', proxyAddress: '+492' }))).toBe(true)
  expect(isSid('US', userSid('IS1', 'alice'))).toBe(true)
  expect(isSid('RL', roleSid('channel user'))).toBe(true)
  expect(isSid('CH', `ch${'0'.repeat(32)}`)).toBe(false)
  expect(isSid('CH', `CH${'0'.repeat(31)}G`)).toBe(false)
})

test('a conversation has another sid for another creator or another nonce, wherever the one ends and the other begins', () => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      expect(conversationSid(...a) === conversationSid(...b)).toBe(a[0] === b[0] && a[1] === b[1])
    }),
    { seed: SEED },
  )
})

test('a person has one participant sid per conversation, whoever asks and however often', () => {
  const first = participantSid('CH1', { identity: 'alice' })
  for (let i = 0; i < 20_000; i++) participantSid('CH1', { identity: `somebody ${i}` })
  expect(participantSid('CH1', { identity: 'alice' })).toBe(first)
  expect(participantSid('CH2', { identity: 'alice' })).not.toBe(first)
  expect(participantSid('CH1', { address: 'a', proxyAddress: 'b' })).not.toBe(
    participantSid('CH1', { address: 'b', proxyAddress: 'a' }),
  )
})

test('the hash of a secret is SHA-256, at every length around a block', () => {
  for (let length = 0; length < 150; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255)
    expect(inviteHash(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'))
  }
})

test('hex digits give their bytes back', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromHex(toHex(bytes))).toEqual(bytes)
    }),
    { seed: SEED },
  )
})

test('ids made later sort later, and are version 7', () => {
  const random = (bytes: number) => new Uint8Array(bytes).fill(255)
  const ids = [0, 1, 255, 1_700_000_000_000, 2 ** 48 - 1].map((now) => uuidV7(now, random))
  expect([...ids].sort()).toEqual(ids)
  for (const id of ids) {
    expect(isHexId(id)).toBe(true)
    expect(id[12]).toBe('7')
    expect(id[16]).toMatch(/[89ab]/)
  }
})
