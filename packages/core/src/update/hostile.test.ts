import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { type HostileContext, hostileUpdates } from '../../test/hostile-corpus.ts'
import { load, RelayModel, seeded } from '../../test/relay-model.ts'
import { judge, upload } from '../../test/relay-upload.ts'

const ATTACKER = 'outbox/mallory'
const VICTIM = 'outbox/ada'

/** A conversation with messages, a key, and decided operations of both; the victim has more on the way. */
function stage(): { relay: RelayModel; context: HostileContext; victim: Y.Doc; pending: Uint8Array } {
  const random = seeded(21)
  const relay = new RelayModel(random.u32)
  for (let i = 0; i < 5; i++) {
    relay.append('messages', { index: i, body: `message ${i}` })
    relay.commit()
  }
  const [client, clock] = relay.set('participants', 'MB1', { identity: 'ada' })
  relay.commit()
  const write = (outbox: string): Y.Doc => {
    const doc = load(relay.updates)
    doc.clientID = random.u32()
    doc.getArray(outbox).push([{ id: outbox }, { id: `${outbox}-2` }])
    for (const update of upload(relay, outbox, Y.encodeStateAsUpdate(doc)).replies) Y.applyUpdate(doc, update)
    return doc
  }
  const attacker = write(ATTACKER)
  const victim = write(VICTIM)
  const before = Y.encodeStateVector(victim)
  victim.getArray(VICTIM).push([{ id: 'not sent yet' }])
  const context: HostileContext = {
    outbox: ATTACKER,
    fresh: random.u32(),
    own: { client: attacker.clientID, clock: 2 },
    victim: { outbox: VICTIM, client: victim.clientID, clock: 2 },
    messages: relay.idOf('messages'),
    map: { root: 'participants', key: 'MB1', client, clock },
    operation: { id: 'smuggled' },
  }
  return { relay, context, victim, pending: Y.encodeStateAsUpdate(victim, before) }
}

describe('hostile updates', () => {
  const { relay, context, victim, pending } = stage()
  for (const { name, update, expected } of hostileUpdates(context)) {
    it(`${expected}: ${name}`, () => {
      const commits = relay.updates.length
      const started = performance.now()
      const { admission, replies } = upload(relay, ATTACKER, update)
      const took = performance.now() - started
      if (expected === 'dropped') {
        expect(admission).toMatchObject({ kind: 'admitted', operations: [], structs: [], clients: [] })
      } else {
        expect(admission.kind).toBe(expected)
      }
      expect(replies).toEqual([])
      expect(relay.updates.length).toBe(commits)
      // what is refused costs little: some milliseconds at most; the bound stands far above, for a busy machine
      expect(took).toBeLessThan(1000)
    })
  }

  it('leave the victim and the next honest client as they were', () => {
    for (const { update } of hostileUpdates(context)) upload(relay, ATTACKER, update)
    const { admission, replies } = upload(relay, VICTIM, pending)
    expect(admission).toMatchObject({
      kind: 'admitted',
      operations: [{ value: { id: 'not sent yet' } }],
      missing: false,
    })
    for (const update of replies) Y.applyUpdate(victim, update)
    expect(relay.seen(victim)).toEqual(relay.expected())
    const doc = load(relay.updates)
    doc.getArray(ATTACKER).push([{ id: 'honest after all' }])
    expect(upload(relay, ATTACKER, Y.encodeStateAsUpdate(doc)).admission).toMatchObject({
      operations: [{ value: { id: 'honest after all' } }],
      missing: false,
    })
  })

  it('are refused by no knowledge of the document alone: to a stranger, all ids look unused', () => {
    const nowhere = new RelayModel(seeded(22).u32)
    for (const { update } of hostileUpdates(context)) {
      expect(judge(nowhere, ATTACKER, update).kind).not.toBe('clientTaken')
    }
  })
})
