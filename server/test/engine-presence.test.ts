import { describe, expect, it } from 'vitest'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createEngine } from '../src/commit/create-engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, post } from './support/device.ts'

/** A stock awareness with a state, and its update. */
function present(state: object, client?: number) {
  const doc = new Y.Doc()
  if (client !== undefined) doc.clientID = client
  const awareness = new Awareness(doc)
  awareness.setLocalState(state as { [key: string]: unknown })
  const update = encodeAwarenessUpdate(awareness, [doc.clientID])
  awareness.destroy()
  return { client: doc.clientID, update }
}

/** What a stock reader makes of the updates it was sent. */
function seen(device: Device): Record<string, unknown>[] {
  const awareness = new Awareness(new Y.Doc())
  awareness.setLocalState(null)
  for (const update of device.presence) applyAwarenessUpdate(awareness, update, null)
  const states = [...awareness.getStates().values()]
  awareness.destroy()
  return states
}

async function three() {
  const engine = createEngine({ store: openSqliteStore(':memory:') })
  const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((identity) => new Device(engine, identity)) as [
    Device,
    Device,
    Device,
  ]
  const sid = await ada.create('bob')
  await bob.open(sid)
  await eve.open(sid)
  await new Promise(setImmediate)
  return { engine, ada, bob, eve, sid }
}

describe('presence', () => {
  it('reaches the other members, not the sender and not strangers', async () => {
    const { engine, ada, bob, eve, sid } = await three()
    engine.awareness(ada, sid, present({ identity: 'ada', typing: true }).update)
    await bob.until(() => bob.presence.length > 0)
    expect(seen(bob)).toEqual([{ identity: 'ada', typing: true }])
    expect(ada.presence).toEqual([])
    expect(eve.presence).toEqual([])
    engine.awareness(eve, sid, present({ typing: true }).update)
    await ada.submit(sid, post('x'))
    expect(seen(bob)).toHaveLength(1)
  })

  it("in somebody else's name, or under their client id, is dropped without a word", async () => {
    const { engine, ada, bob, sid } = await three()
    const own = present({ identity: 'ada' })
    engine.awareness(ada, sid, own.update)
    await bob.until(() => bob.presence.length > 0)
    engine.awareness(bob, sid, present({ identity: 'ada' }).update)
    engine.awareness(bob, sid, present({ user: { identity: 'ada' } }).update)
    engine.awareness(bob, sid, present({ user: 'ada' }).update)
    engine.awareness(bob, sid, present({ typing: true }, own.client).update)
    engine.awareness(bob, sid, present({ typing: true }, ada.doc(sid).clientID).update)
    engine.awareness(bob, sid, Uint8Array.of(3, 1))
    engine.awareness(bob, sid, present({ identity: 'bob' }).update)
    await ada.until(() => ada.presence.length > 0)
    expect(seen(ada)).toEqual([{ identity: 'bob' }])
  })

  it('binds its client id before others see it', async () => {
    const { engine, ada, bob, sid } = await three()
    const { client, update } = present({ identity: 'ada' })
    engine.awareness(ada, sid, update)
    await bob.until(() => bob.presence.length > 0)
    bob.doc(sid).clientID = client
    expect(await engine.upload(bob, sid, bob.write(sid, post('x')))).toMatchObject({
      kind: 'nack',
      error: { code: 70602 },
    })
  })

  it('is told to who comes, and ends with the connection', async () => {
    const { engine, ada, bob, sid } = await three()
    engine.awareness(ada, sid, present({ identity: 'ada' }).update)
    await bob.until(() => bob.presence.length > 0)
    const late = new Device(engine, 'bob')
    await late.open(sid)
    await late.until(() => late.presence.length > 0)
    expect(seen(late)).toEqual([{ identity: 'ada' }])
    engine.leave(ada)
    expect(seen(bob)).toEqual([])
    expect(seen(late)).toEqual([])
  })
})
