/** Every row of the list of attacks that are Yjs updates, against a real relay, over both endpoints. */
import { CLOSE_CODES, RELAY_ROOTS } from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { type HostileUpdate, hostileUpdates } from '../../packages/core/test/hostile-corpus.ts'
import { memberSid, operation, post } from '../support/operations.ts'
import { ENDPOINTS, openDocument, type Reader } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { type Stage, stage, Witness } from './stage.ts'

/** The relay's answer to a WebSocket message above its bound, which it doesn't read. */
const TOO_LARGE = 1009

// the rows' names don't depend on what they aim at: each is made when it is tried
const names = hostileUpdates({
  outbox: 'outbox/mallory',
  fresh: 1,
  own: { client: 2, clock: 2 },
  victim: { outbox: 'outbox/alice', client: 3, clock: 3 },
  messages: { client: 4, clock: 4 },
  map: { root: 'participants', key: 'MB', client: 5, clock: 0 },
  operation: post('smuggled'),
}).map(({ name }) => name)

describe.each(ENDPOINTS)('a hostile update over the %s endpoint', (endpoint) => {
  let relay: TestRelay
  let scene: Stage
  let bob: Witness
  let attackersView: Witness
  let rows: readonly HostileUpdate[] = []
  let aimedAt = ''

  /** The row, aimed at the document as it stands. All are made at once, which takes a while: only when it changed. */
  function rowNamed(name: string, doc: Y.Doc): HostileUpdate {
    const context = scene.aim(doc)
    const aim = JSON.stringify({ ...context, operation: null })
    if (aim !== aimedAt) rows = hostileUpdates(context)
    aimedAt = aim
    return rows.find((row) => row.name === name) as HostileUpdate
  }

  beforeAll(async () => {
    relay = await startRelay()
    scene = await stage(relay.url)
    bob = await Witness.of(relay.url, 'bob', scene.sid)
    attackersView = await Witness.of(relay.url, 'mallory', scene.sid)
  })
  afterAll(() => relay?.close())

  /** What everybody holds. */
  const everything = async () => ({
    bob: await bob.bytes(),
    mallory: await attackersView.bytes(),
    victim: Y.encodeStateAsUpdate(scene.victim.doc),
  })
  const attacker = () => openDocument(endpoint, relay.url, 'mallory', scene.sid, false)

  /** An honest operation on the same connection: whatever it sent before has then been judged. */
  async function readsOn(mallory: Reader): Promise<void> {
    horizon = (horizon + 1) % 7
    mallory.upload(mallory.write(operation('read.set', { index: horizon })))
    await mallory.peer.when(() => horizonOf(mallory.doc) === horizon && mallory.outbox.length === 0)
    await scene.victim.peer.when(() => horizonOf(scene.victim.doc) === horizon)
  }
  let horizon = 0
  const horizonOf = (doc: Y.Doc) => {
    const reads = doc.getArray('reads').toJSON() as { participantSid: string; lastReadMessageIndex: number }[]
    return reads.findLast(({ participantSid }) => participantSid === memberSid(scene.sid, 'mallory'))
      ?.lastReadMessageIndex
  }

  const untouched = (doc: Y.Doc) => ({
    conversation: doc.getMap('conversation').toJSON(),
    participants: doc.getMap('participants').toJSON(),
    messages: doc.getArray('messages').toJSON(),
    strange: [...doc.share.keys()].filter(
      (name) => !name.startsWith('outbox/') && !(name in RELAY_ROOTS.conversation),
    ),
    isComplete: doc.store.pendingStructs === null && doc.store.pendingDs === null,
  })

  it.each(names)('%s', async (name) => {
    const doc = await bob.look()
    const { update, expected } = rowNamed(name, doc)
    const before = await everything()
    const recordsBefore = untouched(doc)
    const mallory = await attacker()
    mallory.upload(update)
    if (expected === 'violation') {
      const { code, reason } = await mallory.peer.ended()
      if (update.length > 1.25 * 1024 * 1024) expect(code).toBe(TOO_LARGE)
      else
        expect({ code, hasReason: reason.length > 0 }).toEqual({
          code: CLOSE_CODES.violation,
          hasReason: true,
        })
      expect(await everything()).toEqual(before)
      return
    }
    if (expected === 'clientTaken' && endpoint === 'yjs') {
      expect((await mallory.peer.ended()).code).toBe(CLOSE_CODES.clientIdTaken)
      expect(await everything()).toEqual(before)
      return
    }
    if (expected === 'clientTaken') {
      await mallory.peer.when(() => mallory.nacks.length > 0)
      expect(mallory.nacks).toEqual([70602])
      expect(await everything()).toEqual(before)
    }
    await readsOn(mallory)
    await mallory.peer.close()
    // all that became of it is the attacker's own horizon
    expect(untouched(await bob.look())).toEqual(recordsBefore)
    expect(untouched(scene.victim.doc)).toEqual(recordsBefore)
  })

  it('none of them kept the victim, the witness or the attacker from going on', async () => {
    const { victim, pending } = scene
    victim.upload(pending)
    await victim.peer.when(() => victim.bodies.includes('not sent yet'), "the victim's message")
    const honest = await openDocument(endpoint, relay.url, 'bob', scene.sid)
    await honest.accepted(post('served'))
    await victim.peer.when(() => victim.bodies.includes('served'))
    expect(victim.outbox.length).toBe(0)
    expect(victim.bodies).not.toContain('smuggled')
    expect(untouched(victim.doc)).toEqual(untouched(await bob.look()))
    expect(relay.failures).toEqual([])
  })
})
