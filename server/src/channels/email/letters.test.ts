import { describe, expect, test } from 'vitest'
import {
  automaticReason,
  bounceStatus,
  headerText,
  isAuthenticated,
  messageIdOf,
  namesIn,
  newPartOf,
  participantIn,
  replyAddressOf,
  withoutPlus,
} from './letters.ts'

const MB = `MB${'a1'.repeat(16)}`
const IM = `IM${'b2'.repeat(16)}`

test('a reply address names the participant, and is ours without that', () => {
  const address = replyAddressOf('support@relay.test', MB)
  expect(participantIn(['x@y.test', address.toUpperCase()])).toBe(MB)
  expect(withoutPlus(address)).toBe('support@relay.test')
  expect(participantIn(['support+mbxyz@relay.test'])).toBeNull()
})

test('names of ours are found among the references, the last first', () => {
  const own = messageIdOf({ messageSid: IM, participantSid: MB }, 'relay.test')
  const before = messageIdOf({ messageSid: `IM${'0'.repeat(32)}`, participantSid: MB }, 'relay.test')
  expect(namesIn(`<a@b> ${before} ${own.toLowerCase()}`).map(({ messageSid }) => messageSid)).toEqual([
    IM,
    `IM${'0'.repeat(32)}`,
  ])
})

test.each([
  [
    'above a quotation',
    'Yes.\n\nOn Mon, Jan 5, 2026 at 9:00 AM Ada <ada@x.test> wrote:\n> Really?\n',
    'Yes.',
  ],
  ['above a signature', 'Yes.\n\n-- \nEve\nPeople Inc.', 'Yes.'],
  ['that quotes nothing', 'Just this.\n\nTwo paragraphs.', 'Just this.\n\nTwo paragraphs.'],
  ['that is a quotation and nothing else', '> only this', '> only this'],
  ['in Japanese', 'はい、大丈夫です。', 'はい、大丈夫です。'],
])('the new part of an answer %s', (_, text, part) => {
  expect(newPartOf(text)).toBe(part)
})

describe('mails that no person wrote', () => {
  const reason = (headers: [string, string][], from = 'eve@people.test') =>
    automaticReason(new Map(headers), from)
  test('are told by their headers', () => {
    expect(reason([])).toBeNull()
    expect(reason([['auto-submitted', 'no']])).toBeNull()
    expect(reason([['auto-submitted', 'auto-replied']])).toMatch(/auto-replied/)
    expect(reason([['precedence', 'Bulk']])).toMatch(/bulk/)
    expect(reason([['list-id', 'x']])).toMatch(/list-id/)
    expect(reason([], '')).toMatch(/no sender/)
  })
})

test.each([
  ['mx.relay.test; spf=pass smtp.mailfrom=x; dmarc=pass header.from=people.test', true],
  ['mx.relay.test 1; dmarc=pass', true],
  ['MX.Relay.test; DMARC=pass', true],
  ['mx.relay.test; dmarc=fail', false],
  ['mx.relay.test; dmarc=passed', false],
  ['evil.test; dmarc=pass', false],
  ['evil.test mx.relay.test; dmarc=pass', false],
  [undefined, false],
])('Authentication-Results %j', (header, isGenuine) => {
  expect(isAuthenticated(header, 'mx.relay.test')).toBe(isGenuine)
})

test.each([
  ['Action: failed\nStatus: 5.1.1', { status: 'undelivered', errorCode: 511 }],
  ['action: Failed', { status: 'undelivered', errorCode: 500 }],
  ['Action: delivered\nStatus: 2.0.0', { status: 'delivered', errorCode: 0 }],
  ['Action: delayed\nStatus: 4.4.7', null],
  ['Sorry.', null],
])('a report that says %j', (report, status) => {
  expect(bounceStatus(report)).toEqual(status)
})

test('text for a header has no line ends and a bound', () => {
  expect(headerText('a\r\nBcc: b@c\u2028d')).toBe('a Bcc: b@c d')
  expect(headerText('x'.repeat(1000))).toHaveLength(200)
})
