/** Which attachments a message may have, over both endpoints. */
import { createAccessToken } from '@confab/relay'
import { describe, expect, it } from 'vitest'
import { createConversation } from '../support/conversation.ts'
import { newConversation, operation } from '../support/operations.ts'
import { ENDPOINTS, openDocument, type Reader } from '../support/reader.ts'
import { ACCOUNT, KEY, SECRET } from '../support/relay.ts'
import { described, httpOf, newMediaSid, relayOnDisk } from './relay-stage.ts'
import { bytesOf, sha256, whenDone } from './stage.ts'

const recordOf = (sid: string, bytes: Uint8Array, over: object = {}) => ({
  sid,
  category: 'media' as const,
  contentType: 'image/png',
  size: bytes.length,
  sha256: sha256(bytes),
  ...over,
})
const withMedia = (body: string, ...media: ReturnType<typeof recordOf>[]) =>
  operation('message.post', { body, media })

describe.each(ENDPOINTS)('a message over the %s endpoint', (endpoint) => {
  async function aliceAndBob() {
    const relay = await relayOnDisk()
    const { sid, creator } = await createConversation(relay.url, ['alice', 'bob'])
    await creator.peer.close()
    const open = async (identity: string) => {
      const reader = await openDocument(endpoint, relay.url, identity, sid)
      whenDone(() => reader.peer.close())
      return reader
    }
    return { relay, sid, alice: await open('alice'), bob: await open('bob') }
  }
  /** What the relay says of it this time. */
  const told = async (author: Reader, post: ReturnType<typeof withMedia>) => {
    author.outcomes.length = 0
    const [outcome] = await author.submit(post)
    return outcome
  }
  const refused = { verdict: 'refused', code: 70606 }

  it('is refused with 70606 while an attachment is not whole, and comes again when it is', async () => {
    const { relay, sid, alice, bob } = await aliceAndBob()
    const http = await httpOf('alice', relay)
    const bytes = bytesOf(1000)
    const media = described(sid, bytes)
    const post = withMedia('look', recordOf(media.sid, bytes))
    expect(await told(alice, post)).toMatchObject(refused)
    const upload = (await http.create(media, bytes.length)).headers.get('location')!
    expect(await told(alice, post)).toMatchObject(refused)
    await http.patch(upload, 0, bytes.subarray(0, 999))
    expect(await told(alice, post)).toMatchObject(refused)
    await http.patch(upload, 999, bytes.subarray(999))
    expect(await told(alice, post)).toMatchObject({ verdict: 'accepted' })
    await bob.peer.when(() => bob.bodies.length > 0)
    expect(bob.bodies).toEqual(['look'])
  })

  it('has only what its author brought for it', async () => {
    const { relay, sid, alice, bob } = await aliceAndBob()
    const [alices, bobs] = [await httpOf('alice', relay), await httpOf('bob', relay)]
    const elsewhere = await createConversation(relay.url, ['alice'])
    const token = await createAccessToken({
      accountSid: ACCOUNT,
      key: KEY,
      secret: SECRET,
      identity: 'alice',
      serviceSid: `IS${'8'.repeat(32)}`,
    })
    const namesake = newConversation('alice')
    const there = await openDocument('native', relay.url, 'alice', namesake.sid, true, token)
    whenDone(() => there.peer.close())
    await there.accepted(...namesake.operations)
    const bytes = bytesOf(100)
    const [ofBob, ofElsewhere, ofNamesake] = [newMediaSid(), newMediaSid(), newMediaSid()]
    await bobs.bring(described(sid, bytes, { sid: ofBob }), bytes)
    await alices.bring(described(elsewhere.sid, bytes, { sid: ofElsewhere }), bytes)
    await (await httpOf('alice', relay, token)).bring(
      described(namesake.sid, bytes, { sid: ofNamesake }),
      bytes,
    )
    const [own, had] = [newMediaSid(), newMediaSid()]
    for (const one of [own, had]) await alices.bring(described(sid, bytes, { sid: one }), bytes)
    expect(await told(alice, withMedia('the first', recordOf(had, bytes)))).toMatchObject({
      verdict: 'accepted',
    })

    const attempts = {
      'of another participant': [recordOf(ofBob, bytes)],
      'for another conversation': [recordOf(ofElsewhere, bytes)],
      'of their namesake in another service': [recordOf(ofNamesake, bytes)],
      'of nobody': [recordOf(newMediaSid(), bytes)],
      'that another message has': [recordOf(had, bytes)],
      twice: [recordOf(own, bytes), recordOf(own, bytes)],
      'of another size': [recordOf(own, bytes, { size: 99 })],
      'of another hash': [recordOf(own, bytes, { sha256: sha256(bytesOf(100)) })],
      'of another type': [recordOf(own, bytes, { contentType: 'text/html' })],
      'beside one’s own': [recordOf(own, bytes), recordOf(ofBob, bytes)],
    }
    for (const [what, media] of Object.entries(attempts))
      expect(await told(alice, withMedia(what, ...media)), what).toMatchObject(refused)
    expect(await told(alice, withMedia('the last', recordOf(own, bytes)))).toMatchObject({
      verdict: 'accepted',
    })
    await bob.peer.when(() => bob.bodies.length > 1)
    expect(bob.bodies).toEqual(['the first', 'the last'])
    expect(relay.failures).toEqual([])
  })
})
