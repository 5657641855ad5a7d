import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expectedOf } from '../test/operation-schema.ts'
import { type Json, jsonEqual } from './json.ts'
import { DEFAULT_LIMITS, limitsWith } from './limits.ts'
import type { Operation } from './operations.ts'
import { parseOperation } from './parse-operation.ts'

const SEED = 20_260_105
const ID = '0123456789abcdef0123456789abcdef'
const HASH = 'ab'.repeat(32)
const SECRET = 'A'.repeat(43)
const base = { id: ID, dateWritten: 1_700_000_000_000 }

/** One of every type, with every key that it may have. */
const complete: { [Type in Operation['type']]: Extract<Operation, { type: Type }> } = {
  'conversation.create': {
    ...base,
    type: 'conversation.create',
    nonce: ID,
    friendlyName: 'Weekend',
    uniqueName: 'weekend',
    attributes: { colour: 'blue' },
    timers: { inactive: 'PT1M', closed: 'P1DT10M' },
  },
  'conversation.update': {
    ...base,
    type: 'conversation.update',
    friendlyName: null,
    uniqueName: null,
    attributes: {
      set: [[['a', 'b'], { c: [1, null] }]],
      unset: [['d']],
      add: [[['e'], [1, 'x']]],
      remove: [[['f'], [true, null]]],
    },
    state: 'inactive',
    timers: {},
  },
  'conversation.close': { ...base, type: 'conversation.close' },
  'conversation.delete': { ...base, type: 'conversation.delete' },
  'conversation.join': { ...base, type: 'conversation.join', invite: SECRET },
  'conversation.leave': { ...base, type: 'conversation.leave' },
  'participant.add': {
    ...base,
    type: 'participant.add',
    binding: { address: '+4915112345678', proxyAddress: '+18005550100', projectedAddress: '+18005550101' },
    attributes: [1],
    roleSid: `RL${ID}`,
  },
  'participant.remove': { ...base, type: 'participant.remove', sid: `MB${ID}` },
  'participant.update': {
    ...base,
    type: 'participant.update',
    sid: `MB${ID}`,
    attributes: {},
    roleSid: `RL${ID}`,
  },
  'message.post': {
    ...base,
    type: 'message.post',
    body: 'hello',
    subject: 'greeting',
    attributes: 'any JSON',
    media: [
      {
        sid: `ME${ID}`,
        category: 'media',
        filename: 'a.png',
        contentType: 'image/png',
        size: 5,
        sha256: '0'.repeat(64),
        width: 2,
        height: 1,
        placeholder: 'AA==',
      },
    ],
    author: 'alice',
  },
  'message.edit': { ...base, type: 'message.edit', sid: `IM${ID}`, body: 'hullo', attributes: {} },
  'message.remove': { ...base, type: 'message.remove', sid: `IM${ID}` },
  'message.restore': {
    ...base,
    type: 'message.restore',
    sid: `IM${ID}`,
    index: 7,
    author: 'grace',
    participantSid: `MB${ID}`,
    dateCreated: 1_700_000_000_000,
    body: 'lost',
    attributes: { a: 1 },
  },
  'message.report': {
    ...base,
    type: 'message.report',
    sid: `IM${ID}`,
    receipts: [{ participantSid: `MB${ID}`, status: 'sent', channelMessageSid: 'SM1', errorCode: 1 }],
  },
  'read.advance': { ...base, type: 'read.advance', index: 0 },
  'read.set': { ...base, type: 'read.set', index: null },
  'invite.create': {
    ...base,
    type: 'invite.create',
    hash: HASH,
    roleSid: `RL${ID}`,
    expiresAt: 1,
    maxUses: 1,
  },
  'invite.revoke': { ...base, type: 'invite.revoke', hash: HASH },
  'user.update': {
    ...base,
    type: 'user.update',
    identity: 'bob',
    friendlyName: null,
    attributes: { set: [[['mood'], 'fine']] },
  },
  'setting.set': { ...base, type: 'setting.set', conversationSid: `CH${ID}`, notificationLevel: 'muted' },
  'push.set': { ...base, type: 'push.set', channelType: 'fcm', token: 'a-token' },
  'push.remove': { ...base, type: 'push.remove', channelType: 'apn', token: 'a-token' },
  'user.delete': { ...base, type: 'user.delete' },
}
const all = Object.values(complete) as Operation[]

const parse = (value: unknown) => parseOperation(value, DEFAULT_LIMITS)
const codeOf = (value: unknown) => {
  const parsed = parse(value)
  return 'error' in parsed ? parsed.error.code : null
}
const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)])

describe('parseOperation', () => {
  test.each(all.map((operation) => [operation.type, operation] as const))(
    'takes a whole %s as it is',
    (_, operation) => {
      expect(parse(operation)).toEqual({ ok: operation })
    },
  )

  test.each(all.map((operation) => [operation.type, operation] as const))(
    'refuses a key that is not part of a %s, and names the operation',
    (_, operation) => {
      expect(parse({ ...operation, extra: 1 })).toEqual({
        error: { id: ID, code: 20001, message: 'Unknown key extra' },
      })
    },
  )

  test.each(all.map((operation) => [operation.type, operation] as const))(
    'refuses a %s without an id, a date or a type',
    (_, operation) => {
      for (const key of ['id', 'dateWritten', 'type']) {
        const { [key]: _left, ...rest } = operation as unknown as Record<string, unknown>
        expect(codeOf(rest)).toBe(20001)
      }
    },
  )

  test('takes a key whose value is undefined as absent', () => {
    expect(parse({ ...base, type: 'message.post', body: 'x', subject: undefined })).toEqual({
      ok: { ...base, type: 'message.post', body: 'x' },
    })
  })

  test('gives identities in their normal form', () => {
    expect(parse({ ...base, type: 'participant.add', identity: 'Zoe\u0301' })).toHaveProperty(
      'ok.identity',
      'Zo\u00e9',
    )
  })

  test.each<[string, unknown, number]>([
    ['nothing', undefined, 70104],
    ['a list', [], 70104],
    ['an unknown type', { ...base, type: 'conversation.steal' }, 20001],
    ['an id in capitals', { ...base, id: ID.toUpperCase(), type: 'conversation.close' }, 20001],
    ['a date before the epoch', { ...base, dateWritten: -1, type: 'conversation.close' }, 20001],
    ['a date with a fraction', { ...base, dateWritten: 1.5, type: 'conversation.close' }, 20001],
    [
      'a date that no Date can hold',
      { ...base, dateWritten: 8_640_000_000_000_001, type: 'conversation.close' },
      20001,
    ],
    ['a body of too many bytes', { ...complete['message.post'], body: 'ü'.repeat(16 * 1024 + 1) }, 70101],
    ['a body that is no text', { ...complete['message.post'], body: 5 }, 20001],
    ['a lone surrogate', { ...complete['message.post'], body: '\udc00' }, 70104],
    ['attributes of too many bytes', { ...complete['message.post'], attributes: 'x'.repeat(4095) }, 70102],
    ['attributes that are too deep', { ...complete['message.post'], attributes: nested(29) }, 70104],
    ['attributes that are far too deep', { ...complete['message.post'], attributes: nested(500) }, 70104],
    [
      'a patch of too many bytes',
      { ...complete['message.edit'], attributes: { set: [[[], 'x'.repeat(9000)]] } },
      70102,
    ],
    [
      'a patch of too many entries',
      { ...complete['conversation.update'], attributes: { unset: Array(1001).fill(['a']) } },
      70106,
    ],
    [
      'a patch that reaches for a prototype',
      { ...complete['message.edit'], attributes: { set: [[['__proto__', 'x'], 1]] } },
      70104,
    ],
    ['a patch that is no patch', { ...complete['message.edit'], attributes: { reactions: 1 } }, 20001],
    [
      'a key __proto__ at the top',
      JSON.parse(`{"__proto__":{"author":"eve"},"id":"${ID}","type":"conversation.close","dateWritten":1}`),
      70104,
    ],
    [
      'a key __proto__ inside',
      { ...complete['message.post'], attributes: JSON.parse('{"a":{"__proto__":1}}') },
      70104,
    ],
    ['a name that is too long', { ...complete['conversation.update'], friendlyName: 'x'.repeat(257) }, 70103],
    ['an empty unique name', { ...complete['conversation.update'], uniqueName: '' }, 20001],
    [
      "a unique name that looks like somebody's conversation",
      { ...complete['conversation.create'], uniqueName: `CH${ID}` },
      20001,
    ],
    [
      'a timer that is no duration',
      { ...complete['conversation.update'], timers: { inactive: '1 minute' } },
      50375,
    ],
    [
      'a timer below its minimum',
      { ...complete['conversation.update'], timers: { inactive: 'PT59S' } },
      50376,
    ],
    [
      'a closing timer below its minimum',
      { ...complete['conversation.update'], timers: { closed: 'PT9M' } },
      50376,
    ],
    ['the state closed', { ...complete['conversation.update'], state: 'closed' }, 20001],
    ['nobody to add', { ...base, type: 'participant.add' }, 20001],
    ['two to add', { ...complete['participant.add'], identity: 'bob' }, 20001],
    ['an identity with a control character', { ...base, type: 'participant.add', identity: 'a\nb' }, 20001],
    [
      'an address that is none',
      { ...base, type: 'participant.add', binding: { address: 'x', proxyAddress: '+18005550100' } },
      50407,
    ],
    [
      'a proxy address that is none',
      { ...base, type: 'participant.add', binding: { address: '+18005550100', proxyAddress: 'x' } },
      50408,
    ],
    ['a participant by the sid of a message', { ...complete['participant.remove'], sid: `IM${ID}` }, 20001],
    ['a negative index', { ...complete['read.advance'], index: -1 }, 20001],
    ['no index', { ...base, type: 'read.set' }, 20001],
    [
      'too many media',
      { ...complete['message.post'], media: Array(11).fill(complete['message.post'].media?.[0]) },
      20001,
    ],
    [
      'media with a hash that is cut',
      { ...complete['message.post'], media: [{ ...complete['message.post'].media?.[0], sha256: '0' }] },
      20001,
    ],
    ['a secret that is cut', { ...complete['conversation.join'], invite: SECRET.slice(1) }, 70203],
    ['an invite for nobody', { ...complete['invite.create'], maxUses: 0 }, 20001],
    ['an invite for ever', { ...complete['invite.create'], expiresAt: 2 ** 48 }, 20001],
    ['a number that JSON has not', { ...complete['message.post'], attributes: Number.NaN }, 70104],
    ['bytes', { ...complete['message.post'], attributes: new Uint8Array(1) }, 70104],
    ['a date object', { ...complete['message.post'], attributes: new Date(0) }, 70104],
  ])('refuses %s', (_, value, code) => {
    expect(codeOf(value)).toBe(code)
  })

  test('counts media before it looks at any', () => {
    const media = [null, ...Array(10).fill(complete['message.post'].media?.[0])]
    const value = { ...complete['message.post'], media }
    expect(parse(value)).toEqual({ error: { id: ID, code: 20001, message: 'media: Must be at most 10' } })
    compare(value)
  })

  test('refuses what is too large as a whole', () => {
    const parsed = parseOperation(complete['message.post'], limitsWith({ operationBytes: 100 }))
    expect(parsed).toHaveProperty('error.code', 70106)
  })

  test('tells the id of what it refuses only when it is one', () => {
    expect(parse({ ...complete['conversation.close'], extra: 1 })).toHaveProperty('error.id', ID)
    expect(parse({ ...complete['conversation.close'], id: 'x' })).toHaveProperty('error.id', null)
  })

  test('keeps its messages short and well-formed, whatever a key is called', () => {
    const parsed = parse({ ...complete['conversation.close'], [`😀${'x'.repeat(5000)}`]: 1 })
    if (!('error' in parsed)) throw new Error('was taken')
    expect(parsed.error.message.length).toBeLessThanOrEqual(200)
    expect(parsed.error.message.isWellFormed()).toBe(true)
  })

  test('never throws, whatever it is given', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withObjectString: true,
    })
    fc.assert(
      fc.property(anything, (value) => {
        expect(Object.keys(parse(value))).toHaveLength(1)
      }),
      { seed: SEED, numRuns: 1000 },
    )
  })

  test('never throws on an operation with anything at any of its keys', () => {
    const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true })
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.nat(), anything, (operation, at, value) => {
        const keys = Object.keys(operation)
        const parsed = parse({ ...operation, [keys[at % keys.length]!]: value })
        // what comes through is plain JSON (in which -0 is 0)
        if ('ok' in parsed) {
          const operationAsJson = parsed.ok as unknown as Json
          expect(jsonEqual(JSON.parse(JSON.stringify(parsed.ok)), operationAsJson)).toBe(true)
        }
      }),
      { seed: SEED, numRuns: 2000 },
    )
  })

  test('never throws on a value that does', () => {
    const proxy = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('no')
        },
      },
    )
    const getter = {
      ...base,
      get type(): string {
        throw new Error('no')
      },
    }
    const loop: Record<string, unknown> = { ...complete['message.post'] }
    loop.attributes = loop
    for (const value of [proxy, getter, loop]) expect(codeOf(value)).toBe(70104)
  })

  test('what it takes once it takes again, unchanged', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
        (operation, text) => {
          const parsed = parse(
            'identity' in operation || operation.type === 'participant.add'
              ? { ...base, type: 'participant.add', identity: text }
              : operation,
          )
          if ('ok' in parsed) expect(parse(parsed.ok)).toEqual(parsed)
        },
      ),
      { seed: SEED, numRuns: 500 },
    )
  })

  // what may stand at a key: good and bad values of every kind that an operation has
  const entry = fc.oneof(
    fc.constantFrom<unknown[]>(
      ...[null, true, '', 'x', -1, 0, 1.5, 1, 2 ** 48, 2 ** 53, -(2 ** 60), 8.64e15 + 1, 1001],
      ...[ID, HASH, SECRET, `CH${ID}`, `MB${ID}`, `RL${ID}`, `IM${ID}`, `ME${ID}`],
      ...['x'.repeat(257), 'a\nb', 'Zoe\u0301', 'PT59S', 'P1D', 'muted', 'fcm', 'closed', 'y'.repeat(5000)],
      ...[
        {},
        [],
        [['a'], 1],
        [[['a'], 1]],
        [[['a'], 1, 2]],
        [[['a']]],
        [[['a'], [1, {}]]],
        [['a'], ['b', 1]],
      ],
      ...[{ set: [[['a'], 1]], more: 1 }, { add: [[['a'], [1]]] }, { remove: [[['a'], 1]] }, nested(20)],
      ...[{ address: 'x' }, { address: '+4915112345678', proxyAddress: '+4915112345678' }],
      ...[{ inactive: 'PT1M' }, { closed: 1 }, { inactive: 'x', extra: 1 }],
    ),
    fc.constantFrom(...all.flatMap((operation) => Object.values(operation))),
    fc.jsonValue({ maxDepth: 3 }),
  )

  test('says of any value what the schemas say of it, in the same words', () => {
    const keyOf = (operation: Operation) => Object.keys(operation)
    const change = fc.record({
      at: fc.nat(),
      key: fc.option(fc.constantFrom(...all.flatMap(keyOf), 'extra')),
    })
    const changes = fc.array(fc.tuple(change, fc.option(entry, { nil: undefined })), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(fc.constantFrom(...all), changes, (operation, made) => {
        const value: Record<string, unknown> = structuredClone({ ...operation })
        for (const [{ at, key }, entry] of made) {
          const changed = key ?? keyOf(operation)[at % keyOf(operation).length]!
          if (entry === undefined) delete value[changed]
          else value[changed] = entry
        }
        compare(value)
      }),
      { seed: SEED, numRuns: 20_000 },
    )
  })

  test('says of anything inside of what an operation holds what the schemas say of it', () => {
    const holders = all.flatMap((operation) =>
      Object.entries(operation)
        .filter(([, held]) => typeof held === 'object' && held !== null)
        .map(([key]) => ({ operation, key })),
    )
    fc.assert(
      fc.property(fc.constantFrom(...holders), fc.nat(), entry, ({ operation, key }, at, changed) => {
        const value = structuredClone({ ...operation }) as unknown as Record<string, Record<string, unknown>>
        let inside = value[key]!
        // one step or more down, to where something is changed
        for (let depth = at % 7; depth > 0; depth--) {
          const next = Object.values(inside).find((one) => typeof one === 'object' && one !== null)
          if (!next) break
          inside = next as Record<string, unknown>
        }
        const names = [...Object.keys(inside), 'extra']
        inside[names[at % names.length]!] = changed
        compare(value)
      }),
      { seed: SEED, numRuns: 10_000 },
    )
  })

  function compare(value: unknown): void {
    const parsed = parse(value)
    // what the first pass refuses never reaches a schema
    if ('error' in parsed && FIRST_PASS.test(parsed.error.message)) return
    const told = 'ok' in parsed ? parsed : { code: parsed.error.code, message: parsed.error.message }
    expect(told).toEqual(expectedOf(value, DEFAULT_LIMITS))
  }
})

const FIRST_PASS = /^(An operation |A message body |Attributes have at most |A patch has at most )/
