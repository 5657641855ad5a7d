/**
 * What hostile bytes cost a relay, measured by itself in a process of its own. CPU is compared with what as many
 * honest connections with as many bytes cost it in the same run, so that a slow or busy machine changes nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { type HostileUpdate, hostileUpdates } from '../../packages/core/test/hostile-corpus.ts'
import { createConversation } from '../support/conversation.ts'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { nobodysSid, post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { type RelayProcess, runRelay } from '../support/relay-process.ts'
import { stage, Witness } from './stage.ts'

const MEGABYTE = 1024 * 1024
/** How many times more than honest work hostile work may cost. */
const TIMES = 3
const CONNECTIONS = 60
/** Bytes that the resident memory may have been above what it was: also what a collector leaves for later. */
const PEAK = 192 * MEGABYTE

let relay: RelayProcess
/** Microseconds of CPU of one honest connection that opens a document and posts a short message. */
let perConnection: number
/** Microseconds of CPU of one byte of honest messages. */
let perByte: number
let rows: HostileUpdate[]
let sid: string

beforeAll(async () => {
  relay = await runRelay({ limits: { bytesPerSecond: 1e9, operationsPerSecond: 1e6 } })
  const scene = await stage(relay.url)
  sid = scene.sid
  await scene.victim.peer.close()
  const bob = await Witness.of(relay.url, 'bob', sid)
  rows = hostileUpdates(scene.aim(await bob.look()))
  // the first of everything is slow
  for (let i = 0; i < CONNECTIONS; i++) await honestConnection()
  perConnection =
    (await cpuOf(async () => {
      for (let i = 0; i < CONNECTIONS; i++) await honestConnection()
    })) / CONNECTIONS
  const { creator } = await createConversation(relay.url, ['writer'])
  let bytes = 0
  const writing = await cpuOf(async () => {
    for (let i = 0; i < 10; i++) {
      const operations = Array.from({ length: 20 }, () => post('x'.repeat(30_000)))
      bytes += 20 * 30_000
      await creator.accepted(...operations)
    }
  })
  perByte = writing / bytes
  await creator.peer.close()
}, 60_000)
afterAll(() => relay?.kill())

async function cpuOf(work: () => Promise<void>): Promise<number> {
  const before = await relay.usage()
  await work()
  return (await relay.usage()).cpu.asked - before.cpu.answered
}

/** In a conversation of one's own: what others do doesn't make it dearer. */
async function honestConnection(): Promise<void> {
  const { creator } = await createConversation(relay.url, ['honest'])
  await creator.peer.close()
}

async function attack({ update, expected }: HostileUpdate): Promise<void> {
  const mallory = await openDocument('native', relay.url, 'mallory', sid)
  mallory.upload(update)
  if (expected === 'violation') await mallory.peer.ended()
  else {
    if (expected === 'clientTaken') await mallory.peer.when(() => mallory.nacks.length > 0)
    await mallory.peer.close()
  }
}

describe('hostile bytes cost a relay no more than as many honest ones', () => {
  it('all hostile updates', async () => {
    const before = await relay.usage()
    let bytes = 0
    const spent = await cpuOf(async () => {
      for (const row of rows) {
        await attack(row)
        bytes += row.update.length
      }
    })
    const after = await relay.usage()
    const honest = rows.length * perConnection + bytes * perByte
    expect(spent).toBeLessThan(TIMES * honest)
    expect(after.memory - before.memory).toBeLessThan(16 * MEGABYTE)
    expect(after.peak - before.peak).toBeLessThan(PEAK)
  }, 60_000)

  it('the dearest of them, each against an honest connection with as many bytes', async () => {
    // one alone says little: what is collected meanwhile is another's
    for (const row of rows.filter(({ update }) => update.length > 5000)) {
      const spent = await cpuOf(async () => {
        for (let i = 0; i < 3; i++) await attack(row)
      })
      const honest = 3 * (perConnection + row.update.length * perByte)
      expect(spent, row.name).toBeLessThan(2 * TIMES * honest)
    }
  }, 60_000)

  it('two hundred connections that have sent the half of a megabyte they claim', async () => {
    const before = await relay.usage()
    const peers = await Promise.all(
      Array.from({ length: 200 }, () => NativePeer.connect(relay.url, 'mallory')),
    )
    for (const { socket } of peers) {
      // a fragment is held until the message is complete: this much, and not what is still to come
      socket.send(new Uint8Array(64 * 1024), { fin: false })
    }
    // everybody's bytes have arrived once those who came later were served
    await honestConnection()
    const during = await relay.usage()
    expect(during.memory - before.memory).toBeLessThan(2 * 200 * 64 * 1024 + 16 * MEGABYTE)
    await Promise.all(peers.map((peer) => peer.close().catch(() => {})))
    await honestConnection()
    const after = await relay.usage()
    expect(after.memory - before.memory).toBeLessThan(8 * MEGABYTE)
  })

  it('ten messages above the bound', async () => {
    const before = await relay.usage()
    const huge = new Uint8Array(4 * MEGABYTE)
    const spent = await cpuOf(async () => {
      for (let i = 0; i < 10; i++) {
        const peer = await NativePeer.connect(relay.url, 'mallory')
        peer.send(huge)
        await peer.ended()
      }
    })
    const after = await relay.usage()
    expect(spent).toBeLessThan(TIMES * (10 * perConnection + 10 * huge.length * perByte))
    expect(after.memory - before.memory).toBeLessThan(8 * MEGABYTE)
    expect(after.peak - before.peak).toBeLessThan(PEAK)
  }, 60_000)

  it('ten thousand opens of documents that there are not', async () => {
    const before = await relay.usage()
    const peers = await Promise.all(Array.from({ length: 5 }, () => NativePeer.connect(relay.url, 'mallory')))
    for (const peer of peers) {
      peer.say({
        type: 'open',
        entries: Array.from({ length: 2000 }, (_, channel) => ({
          channel,
          document: nobodysSid(),
          pending: true,
          ...NOTHING,
        })),
      })
    }
    await Promise.all(
      peers.map((peer) =>
        peer.when(() => peer.frames.filter(({ type }) => type === 'request').length === 2000),
      ),
    )
    const during = await relay.usage()
    // each open document costs a subscription: some hundred bytes
    expect(during.memory - before.memory).toBeLessThan(10_000 * 2048 + 8 * MEGABYTE)
    await Promise.all(peers.map((peer) => peer.close()))
    await honestConnection()
    expect((await relay.usage()).memory - before.memory).toBeLessThan(8 * MEGABYTE)
  })

  it('a flood of uploads with gaps leaves nothing behind', async () => {
    const before = await relay.usage()
    const mallory = await openDocument('native', relay.url, 'mallory', sid)
    const requests = mallory.requests
    for (let i = 0; i < 3000; i++) {
      const doc = new Y.Doc()
      doc.getArray('outbox/mallory').push([post('never')])
      const vector = Y.encodeStateVector(doc)
      doc.getArray('outbox/mallory').push([post('stands behind what never comes')])
      mallory.upload(Y.encodeStateAsUpdate(doc, vector))
    }
    await mallory.accepted(post('an honest one'))
    // asked for at a bounded rate
    expect(mallory.requests - requests).toBeLessThan(100)
    await mallory.peer.close()
    await honestConnection()
    expect((await relay.usage()).memory - before.memory).toBeLessThan(8 * MEGABYTE)
  }, 60_000)
})
