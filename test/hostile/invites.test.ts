/** Invites that let nobody in, over both endpoints, and single ones that two people race for. */

import { randomBytes } from 'node:crypto'
import {
  CHANNEL_ADMIN,
  CHANNEL_USER,
  CLOSE_CODES,
  inviteHash,
  inviteSecretText,
  type Operation,
} from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NativePeer } from '../support/native-peer.ts'
import { memberSid, nobodysSid, operation, post } from '../support/operations.ts'
import { ENDPOINTS, type Endpoint, openDocument, type Reader } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { Onlookers } from './onlookers.ts'

interface Secret {
  hash: string
  text: string
}

function secret(): Secret {
  const bytes = new Uint8Array(randomBytes(32))
  return { hash: inviteHash(bytes), text: inviteSecretText(bytes) }
}
const invite = ({ hash }: Secret, { maxUses = 1, expiresAt = Date.now() + 600_000 } = {}) =>
  operation('invite.create', { hash, roleSid: CHANNEL_USER, expiresAt, maxUses })
const join = ({ text }: Secret) => operation('conversation.join', { invite: text })

let relay: TestRelay
beforeAll(async () => {
  relay = await startRelay()
})
afterAll(() => relay?.close())

/** Brings the operations as a stranger, and gives all that they were told until the connection ended. */
async function knock(endpoint: Endpoint, identity: string, document: string, operations: Operation[]) {
  const guest = await openDocument(endpoint, relay.url, identity, document)
  const from = guest.peer.received.length
  guest.doc.clientID = 77
  guest.upload(guest.write(...operations))
  const outcomes = await Promise.all(operations.map(({ id }) => guest.outcomeOf(id)))
  if (endpoint === 'yjs') await guest.peer.ended()
  const { closed } = guest.peer
  if (!closed) await guest.peer.close()
  return { outcomes, closed, bytes: Buffer.concat(guest.peer.received.slice(from)), bodies: guest.bodies }
}

/** Each gives a secret that no longer lets in, or never did, and how it was made to be so. */
const USELESS: { [name: string]: (honest: Onlookers, maker: Reader) => Promise<Secret> } = {
  'is guessed': async () => secret(),
  'is of another conversation': async () => {
    const elsewhere = await Onlookers.of(relay.url)
    const theirs = secret()
    await elsewhere.alice.accepted(invite(theirs))
    return theirs
  },
  'was used': async ({ alice, sid }) => {
    const used = secret()
    await alice.accepted(invite(used))
    const guest = await openDocument('native', relay.url, 'first guest', sid)
    await guest.accepted(join(used))
    await guest.peer.close()
    return used
  },
  'has expired': async ({ alice }) => {
    const late = secret()
    const expiresAt = Date.now() + 300
    await alice.accepted(invite(late, { expiresAt }))
    // until the relay's clock says so
    while (Date.now() <= expiresAt) await alice.submit(operation('read.set', { index: null }))
    return late
  },
  'was revoked': async ({ alice }) => {
    const revoked = secret()
    await alice.accepted(invite(revoked), operation('invite.revoke', { hash: revoked.hash }))
    return revoked
  },
  'is of a maker who was removed': async ({ alice, sid }, maker) => {
    const theirs = secret()
    await maker.accepted(invite(theirs, { maxUses: 5 }))
    await alice.accepted(operation('participant.remove', { sid: memberSid(sid, 'maker') }))
    return theirs
  },
  'is of a maker who was removed and added again': async ({ alice, sid }, maker) => {
    const theirs = secret()
    await maker.accepted(invite(theirs, { maxUses: 5 }))
    await alice.accepted(
      operation('participant.remove', { sid: memberSid(sid, 'maker') }),
      operation('participant.add', { identity: 'maker' }),
    )
    return theirs
  },
  'is of a maker who left': async (_, maker) => {
    const theirs = secret()
    await maker.accepted(invite(theirs, { maxUses: 5 }), operation('conversation.leave', {}))
    return theirs
  },
  'is of a maker who was given another role': async ({ alice, sid }, maker) => {
    const theirs = secret()
    await maker.accepted(invite(theirs, { maxUses: 5 }))
    const sidOfMaker = memberSid(sid, 'maker')
    await alice.accepted(operation('participant.update', { sid: sidOfMaker, roleSid: CHANNEL_ADMIN }))
    return theirs
  },
  'is of a conversation that was deleted': async ({ alice }) => {
    const gone = secret()
    await alice.accepted(invite(gone), operation('conversation.delete', {}))
    return gone
  },
}

describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
  it.each(Object.entries(USELESS))(
    'an invite that %s is answered as one to what is not there, and lets nobody in',
    async (_, make) => {
      const honest = await Onlookers.of(relay.url, ['maker'])
      await honest.alice.accepted(post('between us'))
      const maker = await openDocument('native', relay.url, 'maker', honest.sid)
      const useless = await make(honest, maker)
      const { frames } = honest.alice.peer as NativePeer
      const wasDeleted = frames.some(({ type }) => type === 'absent')
      if (!wasDeleted) {
        await honest.alice.accepted(post('still between us'))
        await honest.reached(honest.alice)
      }
      const before = wasDeleted ? null : await honest.bytes()
      const operations = [join(useless), post('I am in')]
      const theirs = await knock(endpoint, 'late', honest.sid, operations)
      expect(theirs.outcomes).toEqual(
        operations.map(({ id }) => expect.objectContaining({ id, verdict: 'later', code: 70201 })),
      )
      expect(theirs.closed?.code).toBe(endpoint === 'yjs' ? CLOSE_CODES.absent : undefined)
      expect(theirs.bodies).toEqual([])
      expect(await knock(endpoint, 'late', nobodysSid(), operations)).toEqual(theirs)
      if (before) expect(await honest.bytes()).toEqual(before)
    },
  )

  it('two who race for the last use of an invite: one is in, the other is told "not now"', async () => {
    const honest = await Onlookers.of(relay.url)
    for (let round = 0; round < 8; round++) {
      const single = secret()
      await honest.alice.accepted(invite(single))
      const racers = await Promise.all(
        [`quick ${round}`, `quicker ${round}`].map((identity) =>
          openDocument(endpoint, relay.url, identity, honest.sid),
        ),
      )
      const joins = racers.map((racer) => {
        const attempt = join(single)
        racer.upload(racer.write(attempt, post(`in ${round}`)))
        return racer.outcomeOf(attempt.id)
      })
      const verdicts = (await Promise.all(joins)).map(({ verdict }) => verdict)
      expect(verdicts.toSorted()).toEqual(['accepted', 'later'])
      const [loser] = racers.filter((_, i) => verdicts[i] === 'later') as [Reader]
      expect(loser.updates.flatMap((update) => [...update]).length).toBe(0)
      for (const racer of racers) if (!racer.peer.closed) await racer.peer.close()
    }
    await honest.bob.peer.when(() => honest.bob.bodies.length === 8)
    const { bob } = await honest.records()
    expect(Object.keys(bob.participants).length).toBe(2 + 8)
  })

  it('ten who race for three uses: three are in', async () => {
    const honest = await Onlookers.of(relay.url)
    const triple = secret()
    await honest.alice.accepted(invite(triple, { maxUses: 3 }))
    const verdicts = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const guest = await openDocument(i % 2 ? endpoint : 'native', relay.url, `guest ${i}`, honest.sid)
        const attempt = join(triple)
        guest.upload(guest.write(attempt))
        return (await guest.outcomeOf(attempt.id)).verdict
      }),
    )
    expect(verdicts.filter((verdict) => verdict === 'accepted').length).toBe(3)
    await honest.bob.peer.when(() => honest.bob.doc.getMap('participants').size === 2 + 3)
  })

  it('who is told an id of a conversation’s operation learns nothing by bringing it as a stranger', async () => {
    const honest = await Onlookers.of(relay.url, ['eve'])
    const said = post('an id that eve saw')
    await honest.alice.accepted(said, operation('participant.remove', { sid: memberSid(honest.sid, 'eve') }))
    const operations = [{ ...join(secret()), id: said.id }, post('x')]
    const theirs = await knock(endpoint, 'eve', honest.sid, operations)
    expect(theirs).toEqual(await knock(endpoint, 'eve', nobodysSid(), operations))
  })
})

it('none of it made the relay fail', () => expect(relay.failures).toEqual([]))
