/** Members who ask for much, again and again: what it brings them, and that the others go on. */
import { CLOSE_CODES, DEFAULT_LIMITS } from '@confab/core'
import * as encoding from 'lib0/encoding'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { post } from '../support/operations.ts'
import { ENDPOINTS, openDocument } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { step1, YjsPeer } from '../support/yjs-peer.ts'
import { Onlookers } from './onlookers.ts'

/** Who never stops sending may be cut off before it can read why. */
const CUT_OFF: readonly number[] = [CLOSE_CODES.tooManyRequests, 1006]
const BURST = 10 * DEFAULT_LIMITS.operationsPerSecond

let relay: TestRelay
let honest: Onlookers
beforeAll(async () => {
  relay = await startRelay({ limits: { openDocuments: 50 } })
  honest = await Onlookers.of(relay.url, ['mallory'])
  await honest.alice.accepted(...Array.from({ length: 20 }, (_, i) => post(`${i} ${'x'.repeat(1000)}`)))
  await honest.reached(honest.alice)
})
afterAll(() => relay?.close())

async function unharmed(before: Awaited<ReturnType<Onlookers['bytes']>>): Promise<void> {
  expect(await honest.bytes()).toEqual(before)
  expect(relay.failures).toEqual([])
}

describe('the same document asked for whole, again and again,', () => {
  it('over the native endpoint costs more than the first times, and ends the connection', async () => {
    const before = await honest.bytes()
    const peer = await NativePeer.connect(relay.url, 'mallory')
    const entry = { document: honest.sid, pending: false, ...NOTHING }
    let asked = 0
    // each is answered before the next: nothing is passed over
    while (!peer.closed && asked < BURST) {
      const channel = ++asked
      const from = peer.frames.length
      peer.say({ type: 'open', entries: [{ channel, ...entry }] })
      await peer.frame('snapshot', () => true, from).catch(() => {})
      peer.say({ type: 'close', channels: [channel] })
    }
    expect(CUT_OFF).toContain((await peer.ended()).code)
    // as often as there may be documents, twice, and then as a state vector costs at the stock endpoint
    expect(asked).toBeGreaterThan(100)
    expect(asked).toBeLessThan(100 + (2 * BURST) / 20 + 50)
    await unharmed(before)
  })

  it('over the stock endpoint ends the connection', async () => {
    const before = await honest.bytes()
    const peer = await YjsPeer.connect(relay.url, 'mallory', honest.sid)
    for (let i = 0; i < BURST; i++) peer.send(step1(Uint8Array.of(0)))
    expect(CUT_OFF).toContain((await peer.ended()).code)
    const answers = peer.messages.filter(({ type }) => type === 'step2').length
    expect(answers).toBeLessThan(BURST / 20 + 50)
    await unharmed(before)
  })
})

const presence = (client: number, clock: number, state: object) =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, JSON.stringify(state))
  })

describe.each(ENDPOINTS)('presence over the %s endpoint', (endpoint) => {
  it('under one id after another is shown for the first sixteen of a connection', async () => {
    const watcher = await openDocument('native', relay.url, 'bob', honest.sid)
    const mallory = await openDocument(endpoint, relay.url, 'mallory', honest.sid)
    for (let i = 0; i < 100; i++) mallory.sendAwareness(presence(5000 + i, 1, { typing: true }))
    await mallory.accepted(post('that was much'))
    await watcher.peer.when(() => watcher.bodies.includes('that was much'))
    expect(watcher.presence.length).toBe(16)
    await mallory.peer.close()
    await watcher.peer.close()
  })

  it('without end ends the connection, and is passed on no faster than its budget', async () => {
    const before = await honest.bytes()
    const watcher = await openDocument('native', relay.url, 'bob', honest.sid)
    const mallory = await openDocument(endpoint, relay.url, 'mallory', honest.sid)
    for (let i = 0; i < 3 * BURST; i++) mallory.sendAwareness(presence(9, i + 1, { typing: i % 2 === 0 }))
    expect(CUT_OFF).toContain((await mallory.peer.ended()).code)
    // and then that they are gone
    await watcher.peer.when(() => Buffer.from(watcher.presence.at(-1) ?? []).includes('null'))
    expect(watcher.presence.length).toBeLessThan(1.5 * BURST)
    await watcher.peer.close()
    await unharmed(before)
  })
})
