/** Operations that a member has no right to, over both endpoints: what they are told, and that nobody else notices. */
import {
  CHANNEL_ADMIN,
  CHANNEL_USER,
  inviteHash,
  type Operation,
  outboxName,
  roleSid,
  SERVICE_ADMIN,
} from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { freshId, memberSid, operation, post } from '../support/operations.ts'
import { ENDPOINTS, openDocument, type Reader } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { Onlookers } from './onlookers.ts'

/** What attempts aim at. Mallory is a channel user of both conversations, and a stranger to a third one. */
interface Aim {
  sid: string
  /** Of alice's first message here. */
  aliceId: string
  /** Of mallory's own message, here and in the other conversation. */
  ownId: string
  otherId: string
  otherSid: string
  strangeSid: string
  strangeId: string
}

/** Merged into an operation whose type doesn't know it. */
const smuggle = (made: Operation, fields: object) => ({ ...made, ...fields }) as Operation
const update = (fields: object) => smuggle(operation('conversation.update', {}), fields)
const STANDING = inviteHash(new Uint8Array(32).fill(9))
const invite = (fields: object) =>
  smuggle(
    operation('invite.create', {
      hash: inviteHash(new TextEncoder().encode(freshId())),
      roleSid: CHANNEL_USER,
      expiresAt: Date.now() + 60_000,
      maxUses: 1,
    }),
    fields,
  )
const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) })

const forbidden = { verdict: 'refused', code: 20403 }
const malformed = { verdict: 'refused', code: 20001 }
const notJson = { verdict: 'refused', code: 70104 }
const accepted = { verdict: 'accepted' }

type Attempt = [told: object, attempt: (aim: Aim) => Operation]

const ATTEMPTS: { [name: string]: Attempt } = {
  // forged authors
  'a message in the name of a member': [forbidden, () => smuggle(post('x'), { author: 'alice' })],
  'a message in the name of the system': [forbidden, () => smuggle(post('x'), { author: 'system' })],
  'a message in the name of nobody': [forbidden, () => smuggle(post('x'), { author: 'no one' })],
  'a message with the participant sid of somebody else': [
    malformed,
    ({ sid }) => smuggle(post('x'), { participantSid: memberSid(sid, 'alice') }),
  ],
  'a message with a sid of its own': [
    malformed,
    ({ aliceId }) => smuggle(post('x'), { sid: `IM${aliceId}` }),
  ],
  'a message with an index of its own': [malformed, () => smuggle(post('x'), { index: 0 })],
  'a message with a time of acceptance of its own': [malformed, () => smuggle(post('x'), { dateCreated: 0 })],
  'a message that is edited already': [malformed, () => smuggle(post('x'), { lastUpdatedBy: 'alice' })],

  // replayed operations
  "a message under the id of somebody else's": [
    { verdict: 'refused', code: 70105 },
    ({ aliceId }) => ({ ...post('not hers'), id: aliceId }),
  ],
  'one’s own message again': [accepted, ({ ownId }) => ({ ...post('from mallory'), id: ownId })],
  'another text under the id of one’s own message': [
    accepted,
    ({ ownId }) => ({ ...post('other'), id: ownId }),
  ],
  'another operation under the id of one’s own message': [
    accepted,
    ({ ownId, sid }) => ({ ...operation('participant.remove', { sid: memberSid(sid, 'bob') }), id: ownId }),
  ],

  // times
  ...Object.fromEntries(
    [
      ['not a number', Number.NaN, notJson],
      ['infinite', Number.POSITIVE_INFINITY, notJson],
      ['before all times', -1, malformed],
      ['beyond all times', 8.64e15 + 1, malformed],
      ['huge', 1e300, malformed],
      ['half a millisecond', 0.5, malformed],
      ['text', '2020-01-01', malformed],
      ['nothing', null, malformed],
    ].map(([what, dateWritten, told]): [string, Attempt] => [
      `a message written at a time that is ${what}`,
      [told as object, () => smuggle(post('x'), { dateWritten })],
    ]),
  ),

  // horizons
  "somebody else's read horizon": [
    malformed,
    ({ sid }) =>
      smuggle(operation('read.advance', { index: 0 }), { participantSid: memberSid(sid, 'alice') }),
  ],
  'a read horizon below all messages': [malformed, () => operation('read.advance', { index: -1 })],
  'a read horizon that is not a number': [notJson, () => operation('read.set', { index: Number.NaN })],

  // messages of others, and of elsewhere
  'a new body for a message of somebody else': [
    forbidden,
    ({ aliceId }) => operation('message.edit', { sid: `IM${aliceId}`, body: 'never said' }),
  ],
  'removing a message of somebody else': [
    forbidden,
    ({ aliceId }) => operation('message.remove', { sid: `IM${aliceId}` }),
  ],
  'a new body for one’s own message in another conversation': [
    { verdict: 'refused', code: 20404 },
    ({ otherId }) => operation('message.edit', { sid: `IM${otherId}`, body: 'x' }),
  ],
  'removing one’s own message in another conversation': [
    accepted,
    ({ otherId }) => operation('message.remove', { sid: `IM${otherId}` }),
  ],
  'a new body for a message of a conversation that isn’t theirs': [
    { verdict: 'refused', code: 20404 },
    ({ strangeId }) => operation('message.edit', { sid: `IM${strangeId}`, body: 'x' }),
  ],
  'a sid of the wrong kind': [malformed, ({ sid }) => operation('message.remove', { sid })],

  // people
  'removing a member': [
    forbidden,
    ({ sid }) => operation('participant.remove', { sid: memberSid(sid, 'bob') }),
  ],
  'removing a member by their sid in another conversation': [
    forbidden,
    ({ otherSid }) => operation('participant.remove', { sid: memberSid(otherSid, 'bob') }),
  ],
  'attributes for a member': [
    forbidden,
    ({ sid }) =>
      operation('participant.update', {
        sid: memberSid(sid, 'bob'),
        attributes: { set: [[['a'], 'was here']] },
      }),
  ],
  'attributes for a participant of a conversation that isn’t theirs': [
    forbidden,
    ({ strangeSid }) =>
      operation('participant.update', {
        sid: memberSid(strangeSid, 'alice'),
        attributes: { set: [[['a'], 'was here']] },
      }),
  ],
  'adding who is there already': [
    { verdict: 'refused', code: 50433 },
    () => operation('participant.add', { identity: 'alice' }),
  ],
  'adding who is there already, spelt another way': [
    malformed,
    () => operation('participant.add', { identity: 'ali\u0000ce' }),
  ],
  'adding an address': [
    forbidden,
    () =>
      operation('participant.add', { binding: { address: '+15550000001', proxyAddress: '+15550000002' } }),
  ],

  // roles
  'channel admin for oneself': [
    forbidden,
    ({ sid }) => operation('participant.update', { sid: memberSid(sid, 'mallory'), roleSid: CHANNEL_ADMIN }),
  ],
  'a role of the service for oneself': [
    forbidden,
    ({ sid }) => operation('participant.update', { sid: memberSid(sid, 'mallory'), roleSid: SERVICE_ADMIN }),
  ],
  'an accomplice as channel admin': [
    forbidden,
    () => operation('participant.add', { identity: 'accomplice', roleSid: CHANNEL_ADMIN }),
  ],
  'an accomplice with a role of the service': [
    { verdict: 'refused', code: 50434 },
    () => operation('participant.add', { identity: 'accomplice', roleSid: SERVICE_ADMIN }),
  ],
  'an accomplice with a role that there is not': [
    { verdict: 'refused', code: 50434 },
    () => operation('participant.add', { identity: 'accomplice', roleSid: roleSid('channel king') }),
  ],
  'an invite as channel admin': [forbidden, () => invite({ roleSid: CHANNEL_ADMIN })],
  'an invite with a role of the service': [
    { verdict: 'refused', code: 50434 },
    () => invite({ roleSid: SERVICE_ADMIN }),
  ],
  'an invite of yesterday': [
    { verdict: 'refused', code: 70202 },
    () => invite({ expiresAt: Date.now() - 86_400_000 }),
  ],
  'an invite for ever': [malformed, () => invite({ expiresAt: Number.MAX_SAFE_INTEGER })],
  'an invite for no use': [malformed, () => invite({ maxUses: 0 })],
  'an invite for a million uses': [malformed, () => invite({ maxUses: 1e6 })],
  'an invite under a hash that stands': [
    { verdict: 'refused', code: 70105 },
    () => invite({ hash: STANDING }),
  ],
  'revoking an invite of somebody else': [forbidden, () => operation('invite.revoke', { hash: STANDING })],

  // the conversation itself
  'becoming its creator': [malformed, () => update({ createdBy: 'mallory' })],
  'becoming its creator who hasn’t joined': [malformed, () => update({ creatorPending: true })],
  'another sid': [malformed, ({ otherSid }) => update({ sid: otherSid })],
  'its highest index': [malformed, () => update({ highestIndex: 10_000 })],
  'invites behind its back': [malformed, () => update({ invites: {} })],
  'a name': [forbidden, () => update({ friendlyName: 'mine' })],
  'a unique name': [forbidden, () => update({ uniqueName: 'mine' })],
  'a unique name that is somebody else’s sid': [
    malformed,
    ({ strangeSid }) => update({ uniqueName: strangeSid }),
  ],
  'its attributes': [forbidden, () => update({ attributes: { set: [[['a'], 1]] } })],
  'its timers': [forbidden, () => update({ timers: { closed: 'PT10M' } })],
  'its state': [forbidden, () => update({ state: 'inactive' })],
  'closing it': [forbidden, () => operation('conversation.close', {})],
  'deleting it': [forbidden, () => operation('conversation.delete', {})],
  'creating over it': [malformed, () => operation('conversation.create', { nonce: freshId() })],
  'joining it once more by an invite of nobody’s': [
    accepted,
    () => operation('conversation.join', { invite: Buffer.alloc(32, 1).toString('base64url') }),
  ],

  // what is for other documents
  'a profile, asked for in a conversation': [
    malformed,
    () => operation('user.update', { identity: 'alice', friendlyName: 'x' }),
  ],
  'a push registration, asked for in a conversation': [
    malformed,
    () => operation('push.set', { channelType: 'fcm', token: 'x' }),
  ],
  'an operation that there is not': [malformed, () => smuggle(post('x'), { type: 'message.pin' })],
  'an operation of a type that every object has': [
    malformed,
    () => smuggle(post('x'), { type: 'constructor' }),
  ],

  // attributes
  'a patch of a prototype': [
    notJson,
    ({ ownId }) =>
      operation('message.edit', {
        sid: `IM${ownId}`,
        attributes: { set: [[['__proto__', 'author'], 'alice']] },
      }),
  ],
  'attributes without a floor': [notJson, () => smuggle(post('x'), { attributes: nested(40) })],
  'attributes beyond their bound': [
    { verdict: 'refused', code: 70102 },
    () => smuggle(post('x'), { attributes: { a: 'x'.repeat(5000) } }),
  ],
  'a body beyond its bound': [{ verdict: 'refused', code: 70101 }, () => post('x'.repeat(33_000))],
  'keys without end': [
    malformed,
    () => smuggle(post('x'), Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))),
  ],
}

describe.each(ENDPOINTS)('a member, over the %s endpoint, who asks for', (endpoint) => {
  let relay: TestRelay
  let honest: Onlookers
  let mallory: Reader
  let aim: Aim

  beforeAll(async () => {
    relay = await startRelay()
    honest = await Onlookers.of(relay.url, ['mallory'])
    const { alice, sid } = honest
    const [first, standing] = [post('from alice'), invite({ hash: STANDING })] as const
    await alice.accepted(first, standing)
    const other = await createConversation(relay.url, ['alice', 'mallory', 'bob'])
    const strange = await createConversation(relay.url, ['alice'])
    const strangers = post('unseen')
    await strange.creator.accepted(strangers)
    mallory = await openDocument(endpoint, relay.url, 'mallory', sid)
    const own = post('from mallory')
    await mallory.accepted(own)
    const elsewhere = await openDocument('native', relay.url, 'mallory', other.sid)
    const others = post('elsewhere')
    await elsewhere.accepted(others)
    aim = {
      sid,
      aliceId: first.id,
      ownId: own.id,
      otherId: others.id,
      otherSid: other.sid,
      strangeSid: strange.sid,
      strangeId: strangers.id,
    }
    await honest.reached(mallory)
  })
  afterAll(() => relay?.close())

  it.each(Object.entries(ATTEMPTS))('%s', async (_, [told, attempt]) => {
    const before = await honest.records()
    const asked = attempt(aim)
    mallory.outcomes.length = 0
    expect(await mallory.submit(asked)).toEqual([expect.objectContaining({ ...told, id: asked.id })])
    await honest.reached(mallory)
    expect(await honest.records()).toEqual(before)
  })

  it('an outbox of somebody else: nothing is applied, and the connection is closed', async () => {
    for (const identity of ['alice', 'nobody', '']) {
      const before = await honest.bytes()
      const intruder = await openDocument(endpoint, relay.url, 'mallory', aim.sid)
      const doc = new Y.Doc()
      doc.getArray(outboxName(identity)).push([post('as somebody else')])
      intruder.upload(Y.encodeStateAsUpdate(doc))
      expect(await intruder.peer.ended()).toMatchObject({
        code: 4400,
        reason: expect.stringMatching(/outbox/),
      })
      expect(await honest.bytes()).toEqual(before)
    }
  })

  it.each([
    ['attributes with a prototype', JSON.parse('{"__proto__":{"author":"alice"}}')],
    ['attributes nested a hundred deep', nested(100)],
  ])('%s: nothing is applied, and the connection is closed', async (_, attributes) => {
    const before = await honest.bytes()
    const intruder = await openDocument(endpoint, relay.url, 'mallory', aim.sid)
    intruder.upload(intruder.write(smuggle(post('x'), { attributes })))
    expect(await intruder.peer.ended()).toMatchObject({ code: 4400, reason: expect.stringMatching(/./) })
    expect(await honest.bytes()).toEqual(before)
  })

  it('one time or another, gets it as what they say, and the relay’s own time beside it', async () => {
    for (const dateWritten of [0, 1, 8.64e15]) {
      const from = Date.now()
      const said = smuggle(post(`at ${dateWritten}`), { dateWritten })
      await mallory.accepted(said)
      await honest.reached(mallory)
      const { messages } = (await honest.records()).bob as { messages: { dateCreated: number }[] }
      expect(messages.at(-1)).toMatchObject({ author: 'mallory', dateWritten, index: messages.length - 1 })
      expect(messages.at(-1)?.dateCreated).toBeGreaterThanOrEqual(from)
    }
  })

  it('an id of another conversation gets a message of their own, which changes nothing there', async () => {
    const copied = { ...post('a copy'), id: aim.strangeId }
    await mallory.accepted(copied)
    const strange = await openDocument('native', relay.url, 'alice', aim.strangeSid)
    expect(strange.bodies).toEqual(['unseen'])
  })

  it('all that, keeps nobody from going on', async () => {
    await honest.alice.accepted(post('goodbye'))
    await honest.reached(honest.alice)
    expect(honest.bob.bodies.at(-1)).toBe('goodbye')
    expect(mallory.peer.closed).toBeNull()
    expect(relay.failures).toEqual([])
  })
})
