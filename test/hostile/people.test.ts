/** What is a person's own, and what belongs to another service: over both endpoints, byte for byte. */
import { conversationSid, type Operation, outboxName, profileDocument, userDocument } from '@confab/core'
import { createAccessToken } from '@confab/relay'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { NativePeer } from '../support/native-peer.ts'
import { freshId, memberSid, nobodysSid, operation, post } from '../support/operations.ts'
import { ENDPOINTS, type Endpoint, openDocument, type Reader } from '../support/reader.ts'
import { ACCOUNT, KEY, SECRET, startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { awarenessMessage, step1, step2, YjsPeer } from '../support/yjs-peer.ts'

const elsewhere = `IS${'9'.repeat(32)}`
const mint = (identity: string, serviceSid: string) =>
  createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity, serviceSid })

let relay: TestRelay
let sid: string
let alice: Reader
beforeAll(async () => {
  relay = await startRelay()
  ;({ sid, creator: alice } = await createConversation(relay.url, ['alice', 'bob'], { friendlyName: 'ours' }))
  await alice.accepted(post('between us'))
  const own = await openDocument('native', relay.url, 'alice', userDocument('alice'))
  await own.accepted(
    operation('user.update', { friendlyName: 'Alice' }),
    operation('push.set', { channelType: 'fcm', token: 'of her phone' }),
    operation('setting.set', { conversationSid: sid, notificationLevel: 'muted' }),
  )
})
afterAll(() => relay?.close())

/** Opens, uploads, speaks, resumes: everything that is said to it, in order. */
async function everyWay(
  endpoint: Endpoint,
  identity: string,
  token: string,
  document: string,
  operations: Operation[],
): Promise<{ bytes: Buffer; closed: unknown }> {
  const doc = new Y.Doc()
  doc.clientID = 77
  doc.getArray(outboxName(identity)).push(operations)
  const update = Y.encodeStateAsUpdate(doc)
  const presence = Uint8Array.of(1, 7, 1, 2, 123, 125)
  if (endpoint === 'yjs') {
    const peer = await YjsPeer.connect(relay.url, identity, document, true, token)
    for (const message of [step1(Uint8Array.of(0)), awarenessMessage(presence), step2(update)])
      peer.send(message)
    return { closed: await peer.ended(), bytes: Buffer.concat(peer.received) }
  }
  const peer = await NativePeer.dial(relay.url)
  peer.say({ type: 'hello', version: 1, agent: 'test', token })
  await peer.frame('welcome')
  const from = peer.received.length
  for (const [channel, clock] of [
    [1, 0],
    [2, 3],
  ] as const) {
    peer.say(
      {
        type: 'open',
        entries: [{ channel, document, pending: true, epoch: clock && 1, commitsId: clock && 99, clock }],
      },
      { type: 'awareness', channel, update: presence },
      { type: 'update', channel, update },
    )
    await peer.frame('outcomes', (frame) => frame.channel === channel)
    peer.say({ type: 'close', channels: [channel] })
  }
  await peer.close()
  return { closed: null, bytes: Buffer.concat(peer.received.slice(from)) }
}

describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
  /** What isn't mallory's, beside its like that doesn't exist. */
  const pairs: { [name: string]: () => [theirs: string, nobodys: string] } = {
    'a conversation of others': () => [sid, nobodysSid()],
    'the list, the settings and the push registrations of somebody': () => [
      userDocument('alice'),
      userDocument('nobody'),
    ],
  }
  it.each(Object.entries(pairs))('%s: every way of asking is answered as for nobody’s', async (_, pair) => {
    const before = Y.encodeStateAsUpdate(alice.doc)
    const told = alice.peer.received.length
    const [theirs, nobodys] = pair()
    const operations = [post('in'), operation('user.update', { friendlyName: 'taken over' })]
    const token = await tokenFor('mallory')
    const answers = []
    for (const document of [theirs, nobodys]) {
      answers.push(await everyWay(endpoint, 'mallory', token, document, operations))
    }
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.bytes.includes('between us')).toBe(false)
    expect(answers[0]?.bytes.includes('of her phone')).toBe(false)
    expect(Y.encodeStateAsUpdate(alice.doc)).toEqual(before)
    expect(alice.peer.received.length).toBe(told)
  })

  it('in another service the same names are nobody’s: a member there is a stranger here', async () => {
    const before = Y.encodeStateAsUpdate(alice.doc)
    const token = await mint('alice', elsewhere)
    const operations = [post('as alice'), operation('participant.remove', { sid: memberSid(sid, 'bob') })]
    const theirs = await everyWay(endpoint, 'alice', token, sid, operations)
    expect(theirs).toEqual(await everyWay(endpoint, 'alice', token, nobodysSid(), operations))
    // her own private document is another one there, and empty
    const peer = await NativePeer.dial(relay.url)
    peer.say({ type: 'hello', version: 1, agent: 'test', token })
    await peer.frame('welcome')
    const open = (channel: number, document: string) =>
      ({ channel, document, pending: false, epoch: 0, commitsId: 0, clock: 0 }) as const
    peer.say({
      type: 'open',
      entries: [open(1, userDocument('alice')), open(2, profileDocument('alice')), open(3, sid)],
    })
    const { entries } = await peer.frame('opened')
    expect(entries.map(({ status }) => status)).toEqual(['current', 'current', 'absent'])
    await peer.close()
    expect(Y.encodeStateAsUpdate(alice.doc)).toEqual(before)
  })
})

it('a conversation may exist in two services under one sid, and each stays what it is', async () => {
  const nonce = freshId()
  const shared = conversationSid('twin', nonce)
  const readers: Reader[] = []
  for (const [serviceSid, text] of [
    [elsewhere, 'there'],
    [undefined, 'here'],
  ] as const) {
    const token = serviceSid ? await mint('twin', serviceSid) : await tokenFor('twin')
    const reader = await openDocument('native', relay.url, 'twin', shared, true, token)
    await reader.accepted(
      operation('conversation.create', { nonce }),
      operation('conversation.join', {}),
      post(text),
    )
    readers.push(reader)
  }
  expect(readers.map(({ bodies }) => bodies)).toEqual([['there'], ['here']])
})

it('push registrations and settings without end stay bounded, and nobody hears of them', async () => {
  const small = await startRelay({ limits: { pushRegistrations: 3, conversationsPerIdentity: 5 } })
  try {
    const bob = await openDocument('native', small.url, 'bob', profileDocument('mallory'))
    const mallory = await openDocument('native', small.url, 'mallory', userDocument('mallory'))
    const floods = Array.from({ length: 50 }, (_, i) => [
      operation('push.set', { channelType: 'fcm', token: `phone ${i}` }),
      operation('setting.set', { conversationSid: nobodysSid(), notificationLevel: 'muted' }),
    ]).flat() as Operation[]
    const outcomes = await mallory.submit(...floods)
    const refused = outcomes.filter(({ verdict }) => verdict === 'refused')
    expect(refused.length).toBe(45)
    expect(refused[0]).toMatchObject({ code: 50422 })
    const settings = mallory.doc.getMap('settings').toJSON()
    expect(settings.push.map(({ token }: { token: string }) => token)).toEqual([
      'phone 47',
      'phone 48',
      'phone 49',
    ])
    expect(Object.keys(settings).length).toBe(1 + 5)
    await bob.peer.when(() => bob.doc.getMap('profile').get('notifiable') === true)
    expect(Buffer.concat(bob.peer.received).includes('phone')).toBe(false)
    expect(small.failures).toEqual([])
  } finally {
    await small.close()
  }
})

it('none of it made the relay fail', () => expect(relay.failures).toEqual([]))
