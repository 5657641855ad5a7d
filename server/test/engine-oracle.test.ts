/** Stock Y.Docs as the oracle: whatever the relay wrote, real documents must read as the records that it believes. */
import { limitsWith, messageSidOf, type Operation, participantSid } from '@confab/core'
import { afterAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createEngine } from '../src/commit/create-engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { Store } from '../src/store/store.ts'
import { Device, operation, post, SERVICE } from './support/device.ts'

/** mulberry32 */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const values = (document: Y.Doc, root: string) =>
  Object.fromEntries([...document.getMap(root)].sort(([a], [b]) => (a < b ? -1 : 1)))

/** What the store believes of a conversation. */
async function believed(store: Store, sid: string) {
  const loaded = await store.load(SERVICE, sid)
  if (!loaded) throw new Error('no such document')
  const map = (root: string) =>
    Object.fromEntries(
      loaded.mapItems
        .filter((item) => item.root === root && item.value !== undefined)
        .map(({ key, value }) => [key, value] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  return {
    conversation: map('conversation'),
    participants: map('participants'),
    messages: (await store.messageRange(loaded.head.key, 0, 1e9)).map(({ record }) => record),
    reads: loaded.reads
      .map(({ record }) => record)
      .sort((a, b) => (a.participantSid < b.participantSid ? -1 : 1)),
    count: loaded.head.messageCount,
  }
}

function read(doc: Y.Doc) {
  const messages = [...doc.getArray<{ index: number }>('messages').toArray()].sort(
    (a, b) => a.index - b.index,
  )
  return {
    conversation: values(doc, 'conversation'),
    participants: values(doc, 'participants'),
    messages,
    reads: [...doc.getArray<{ participantSid: string }>('reads').toArray()].sort((a, b) =>
      a.participantSid < b.participantSid ? -1 : 1,
    ),
    count: messages.length,
  }
}

function anOperation(random: (below: number) => number, sid: string, posted: string[]): Operation {
  const message = () => posted[random(posted.length)] ?? messageSidOf('0'.repeat(32))
  const person = participantSid(sid, { identity: ['ada', 'bob', 'cem', 'dot'][random(4)] as string })
  switch (random(9)) {
    case 0:
      return operation('message.edit', { sid: message(), body: `edited ${random(1000)}` })
    case 1:
      return operation('message.remove', { sid: message() })
    case 2:
      return operation('read.advance', { index: random(50) })
    case 3:
      return operation('read.set', { index: random(3) === 0 ? null : random(20) })
    case 4:
      return operation('conversation.update', { attributes: { set: [[[`k${random(3)}`], random(100)]] } })
    case 5:
      return operation('participant.update', { sid: person, attributes: { set: [[['n'], random(100)]] } })
    case 6:
      return random(2) === 0
        ? operation('participant.add', { identity: 'dot' })
        : operation('participant.remove', { sid: participantSid(sid, { identity: 'dot' }) })
    default: {
      const made = post(`message ${random(1000)}`)
      posted.push(messageSidOf(made.id))
      return made
    }
  }
}

describe('stock Y.Docs read what the relay believes', () => {
  let epochs = 0
  let snapshots = 0
  afterAll(() => {
    // the histories are worth something only if they meet these
    expect(epochs).toBeGreaterThan(0)
    expect(snapshots).toBeGreaterThan(0)
  })

  it.each([1, 2, 3, 4, 5, 6])('after a random history (seed %i)', async (seed) => {
    const random = seeded(seed)
    const store = openSqliteStore(':memory:')
    // small numbers, so that epochs and compactions come in a short history
    const limits = limitsWith({ outboxClients: 5 })
    const make = () => createEngine({ store, limits, compactAfter: 20 })
    let engine = make()
    let devices = ['ada', 'ada', 'bob', 'cem'].map((identity) => new Device(engine, identity))
    const [ada] = devices as [Device]
    const sid = await ada.create('bob', 'cem')
    await Promise.all(devices.slice(1).map((device) => device.open(sid)))
    const posted: string[] = []
    for (let turn = 0; turn < 60; turn++) {
      if (random(25) === 0) {
        // the relay restarts: devices keep their documents
        await engine.drain()
        engine = make()
        devices = devices.map((before) => {
          const device = new Device(engine, before.identity)
          for (const [name, doc] of before.docs) device.docs.set(name, doc)
          for (const [name, point] of before.points) device.points.set(name, point)
          return device
        })
        await Promise.all(devices.map((device) => device.open(sid)))
      }
      const writing = devices.filter(() => random(3) > 0)
      await Promise.all(
        writing.map((device) => {
          const operations = Array.from({ length: 1 + random(4) }, () => anOperation(random, sid, posted))
          return device.upload(sid, device.write(sid, ...operations))
        }),
      )
      if (random(12) === 0) {
        // a device starts from nothing, under a fresh client id
        const at = random(devices.length)
        engine.leave(devices[at] as Device)
        devices[at] = new Device(engine, (devices[at] as Device).identity)
        await (devices[at] as Device).open(sid)
      }
    }
    await engine.drain()
    const truth = await believed(store, sid)
    expect(truth.messages.length).toBeGreaterThan(20)
    const { head } = (await store.load(SERVICE, sid)) as NonNullable<Awaited<ReturnType<Store['load']>>>
    epochs += head.epoch - 1
    if (head.epoch === 1 && (await store.snapshot(head.key, 'ada')).snapshot) snapshots++
    for (const device of devices) {
      expect(read(device.doc(sid))).toEqual(truth)
      expect(device.outbox(sid)).toEqual([])
    }
    const late = new Device(createEngine({ store }), 'cem')
    await late.open(sid)
    expect(read(late.doc(sid))).toEqual(truth)
    // what a device holds, sent through another one, is the same
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(devices[0]?.doc(sid) as Y.Doc))
    expect(read(copy)).toEqual(truth)
  })
})
