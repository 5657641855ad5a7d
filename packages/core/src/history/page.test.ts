import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MessageRecord } from '../records.ts'
import { decodePage, encodePage, pageHash } from './page.ts'

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<MessageRecord['attributes']>
const optional = <Value>(one: fc.Arbitrary<Value>) => fc.option(one, { nil: undefined, freq: 2 })
const record = fc.record({
  step: fc.integer({ min: 1, max: 3 }),
  sid: fc.uuid().map((id) => `IM${id.replaceAll('-', '')}`),
  author: fc.constantFrom('alice', 'bob', '群', '👩‍🌾'),
  participantSid: optional(fc.constantFrom('MB1', 'MB2')),
  body: optional(fc.string({ unit: 'grapheme' })),
  subject: optional(fc.string()),
  attributes: optional(json),
  media: optional(
    fc.constant([{ sid: 'ME1', category: 'media' as const, contentType: 'image/png', size: 3 }]),
  ),
  later: fc.nat(100_000),
  dateWritten: optional(fc.integer({ min: -1e12, max: 2e12 })),
  dateUpdated: optional(fc.nat(2e12)),
  lastUpdatedBy: optional(fc.constantFrom('alice', 'carol')),
})

const messages = fc.array(record, { minLength: 1, maxLength: 40 }).map((drafts) => {
  let index = 41
  let dateCreated = 1_760_000_000_000
  return drafts.map(({ step, later, ...draft }) => {
    index += step
    dateCreated += later
    return JSON.parse(JSON.stringify({ ...draft, index, dateCreated })) as MessageRecord
  })
})

describe('a page of messages', () => {
  test('gives back every record as it was', () => {
    fc.assert(
      fc.property(messages, (records) => {
        expect(decodePage(encodePage(records))).toEqual(records)
      }),
      { seed: 5, numRuns: 300 },
    )
  })

  test('has the same bytes whatever the order of the keys in its records', () => {
    fc.assert(
      fc.property(messages, (records) => {
        const turned = records.map(
          (one) => Object.fromEntries(Object.entries(one).reverse()) as unknown as MessageRecord,
        )
        expect(pageHash(encodePage(turned))).toBe(pageHash(encodePage(records)))
      }),
      { seed: 6, numRuns: 100 },
    )
  })

  test('that is damaged is not read', () => {
    for (const text of [
      '',
      '{}',
      '{"v":2,"count":0}',
      '{"v":1,"count":4294967295}',
      '{"v":1,"count":"x"}',
      '{"v":1,"count":1,"sid":{"at":[4],"of":["x"]}}',
      'null',
    ]) {
      expect(() => decodePage(new TextEncoder().encode(text)), text).toThrow(
        expect.objectContaining({ code: 70605 }),
      )
    }
  })
})
