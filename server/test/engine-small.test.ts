/** However old a conversation is: what somebody is sent who opens it is no more than its newest messages. */
import { messageSidOf } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import { begin, bytesToOpen, comeAndGo, loadPages, SEALING } from './support/ageing.ts'
import { Device, operation, post, SERVICE } from './support/device.ts'
import { edit, manifestOf, sealed } from './support/history.ts'

describe('a conversation as it grows old', () => {
  it('is as small to open after ten thousand posts, and edits of what was sealed, as after two thousand', async () => {
    const held = await begin()
    const { ada, sid, engine } = held
    const sids: string[] = []
    let edits = 0
    const grow = async (until: number) => {
      while (sids.length < until) {
        const posts = Array.from({ length: 40 }, (_, i) => post(`message ${sids.length + i} of many`))
        const edited = Array.from({ length: Math.min(3, sids.length) }, () => {
          edits++
          return edit(sids[(edits * 7919) % sids.length] as string, `edited for the ${edits}th time`)
        })
        await ada.submit(sid, ...posts, ...edited)
        sids.push(...posts.map(({ id }) => messageSidOf(id)))
        await sealed(ada, sid, SEALING.messages + SEALING.edited)
      }
      return bytesToOpen(held)
    }
    const young = await grow(2_000)
    const old = await grow(10_000)
    const epoch = ada.points.get(sid)?.epoch
    expect(manifestOf(ada.doc(sid)).count).toBeGreaterThan(9_900)
    // a new one would make any document small
    expect(epoch).toBe(1)
    // 60 messages of some 250 bytes, and what is left of the others
    expect(young).toBeLessThan(25_000)
    expect(old).toBeLessThan(young * 1.25)
    await engine.drain()
  }, 120_000)

  it('shows no trace of how often anybody has read', async () => {
    const held = await begin()
    const { ada, sid, engine } = held
    await ada.submit(sid, ...Array.from({ length: 40 }, (_, i) => post(`message ${i}`)))
    const bob = new Device(engine, 'bob')
    await bob.open(sid)
    const read = async (times: number) => {
      for (let i = 0; i < times; i += 100) {
        const reads = Array.from({ length: 100 }, (_, n) => operation('read.set', { index: (i + n) % 40 }))
        await bob.submit(sid, ...reads)
      }
      return bytesToOpen(held)
    }
    const few = await read(10_000)
    const many = await read(100_000)
    // the relay has taken another id of its own for every 65,536, some 25 bytes for each of two roots
    expect(many).toBeLessThan(few + 256)
    await engine.drain()
  }, 120_000)

  it('is small after seven hundred page loads by three people, each of which left a client id behind', async () => {
    const { bytes, ids, epochs } = await loadPages(3, 700, 60)
    // one outbox had more than 200
    expect(epochs).toBeGreaterThan(1)
    expect(ids).toBeLessThan(230)
    expect(bytes).toBeLessThan(40_000)
  }, 120_000)

  it('is small after two thousand and more people have come and gone', async () => {
    const { bytes, epochs } = await comeAndGo(3_000, 2_500)
    expect(epochs).toBeGreaterThan(1)
    expect(bytes).toBeLessThan(130_000)
  }, 120_000)

  it('is read once from all that was ever written in it after the relay was started again, and then from what is left', async () => {
    const { engine, store, ada, sid } = await begin()
    for (let i = 0; i < 15; i++) {
      await ada.submit(sid, ...Array.from({ length: 40 }, () => post('x'.repeat(200))))
      await sealed(ada, sid, SEALING.messages)
    }
    await engine.drain()
    const again = createEngine({ store, sealing: SEALING })
    await new Device(again, 'ada').open(sid)
    const key = (await store.load(SERVICE, sid))?.head.key as number
    // nothing tells of it
    while (!(await store.snapshot(key, 'ada')).snapshot) await new Promise((turn) => setImmediate(turn))
    await again.drain()
  }, 30_000)
})
