import type { MessageRecord } from '@confab/core'
import { expect, test } from 'vitest'
import { isPossibleAddress, normaliseAddress } from '../address.ts'
import { bodyFor, wishOf } from './text.ts'

const HOUR = 3_600_000
const at = Date.UTC(2026, 10, 24, 9, 30)
const message = (more: Partial<MessageRecord> = {}): MessageRecord => ({
  sid: 'IM1',
  index: 0,
  author: 'ada',
  body: 'Hello',
  dateCreated: at,
  ...more,
})

test('a message names its author where more than two talk, or always, or never', () => {
  const body = (naming: 'group' | 'always' | 'never', participants: number) =>
    bodyFor(message(), { naming, participants })
  expect(body('group', 2)).toBe('Hello')
  expect(body('group', 3)).toBe('ada: Hello')
  expect(body('always', 2)).toBe('ada: Hello')
  expect(body('never', 9)).toBe('Hello')
})

test('what was written long before it was sent says when, in the zone of the people', () => {
  const written = (dateWritten: number, timeZone = 'UTC') =>
    bodyFor(message({ dateWritten }), { naming: 'never', participants: 2, timeZone })
  expect(written(at - 1000)).toBe('Hello')
  expect(written(at - 48 * HOUR)).toBe('Hello\n(written Sun 22 Nov, 09:30 UTC)')
  expect(written(at - 48 * HOUR, 'Asia/Tokyo')).toContain('(written Sun 22 Nov, 18:30 GMT+9)')
})

test('attachments are named', () => {
  const media = [{ sid: 'ME1', category: 'media' as const, filename: 'a.pdf', contentType: 'x/y', size: 1 }]
  const { body: _, ...bare } = message({ media })
  expect(bodyFor(bare, { naming: 'never', participants: 2 })).toBe('[a.pdf]')
})

test.each([
  ['STOP', 'stop'],
  [' stop ', 'stop'],
  ['unsubscribe', 'stop'],
  ['Start', 'start'],
  ['stop that please', null],
  ['', null],
])('%j wishes %s', (body, wish) => {
  expect(wishOf(body)).toBe(wish)
})

test.each([
  ['+1 (555) 000-1111', '+15550001111'],
  ['whatsapp:+49 151 12345678', 'whatsapp:+4915112345678'],
  ['Eve@People.Test', 'Eve@people.test'],
  ['+999999999999999999', null],
  ['+1555', null],
  ['5550001111', null],
  ['no address', null],
  ['@', null],
])('%j is %j', (text, address) => {
  expect(normaliseAddress(text)).toBe(address)
  expect(isPossibleAddress(text)).toBe(address !== null)
})
