import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, operation, post, SERVICE } from './support/device.ts'

function relay() {
  const store = openSqliteStore(':memory:')
  return { store, engine: createEngine({ store }) }
}

describe('a conversation through the engine', () => {
  it('is created, joined and posted to in one upload, and everybody sees the same', async () => {
    const { engine, store } = relay()
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    expect((await bob.open(sid)).status).toBe('snapshot')
    await ada.submit(sid, post('one'), post('two'))
    await bob.submit(sid, post('three'))
    expect(ada.bodies(sid)).toEqual(['one', 'two', 'three'])
    expect(bob.bodies(sid)).toEqual(['one', 'two', 'three'])
    expect(ada.participants(sid)).toEqual(['ada', 'bob'])
    expect(ada.outbox(sid)).toEqual([])
    expect(bob.outbox(sid)).toEqual([])
    const late = new Device(engine, 'bob')
    await late.open(sid)
    expect(late.messages(sid)).toEqual(bob.messages(sid))
    const [point] = await store.points(SERVICE, 'ada', [sid])
    expect((await store.messageRange(point?.key as number, 0, 10)).map(({ record }) => record)).toEqual(
      ada.messages(sid),
    )
  })

  it('is listed in the private document of whoever is in it', async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    await bob.open('user/bob')
    const sid = await ada.create('bob')
    expect(bob.doc('user/bob').getMap('conversations').toJSON()).toMatchObject({
      [sid]: { sid, status: 'joined' },
    })
    await ada.submit(sid, operation('conversation.delete', {}))
    expect(bob.doc('user/bob').getMap('conversations').toJSON()).toEqual({})
    expect(ada.told.at(-1)).toBe(`absent ${sid}`)
  })
})
