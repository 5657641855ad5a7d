/** A membership that ends while something of the member's is on its way, over both endpoints. */
import { once } from 'node:events'
import { CLOSE_CODES, type Operation } from '@confab/core'
import type { Hooks } from '@confab/relay'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { memberSid, operation, post } from '../support/operations.ts'
import { ENDPOINTS, type Endpoint, openDocument, type Reader } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { Onlookers } from './onlookers.ts'

const AFTER = 'said after the removal'
const add = (identity: string) => operation('participant.add', { identity })

/** A hook that holds back operations whose body says so, until it is told to go on. */
class Gate {
  /** How many are held back. */
  held = 0
  #open: () => void = () => {}
  #opened: Promise<void> = Promise.resolve()
  #came: () => void = () => {}
  came: Promise<void> = Promise.resolve()

  shut(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
    this.came = new Promise((resolve) => {
      this.#came = resolve
    })
  }
  open(): void {
    this.#open()
  }
  async pass(operation: Operation): Promise<undefined> {
    if (operation.type !== 'message.post' || !operation.body?.startsWith('held back')) return undefined
    this.held++
    this.#came()
    await this.#opened
    return undefined
  }
}

const holds = (reader: Reader, text: string) => Buffer.concat(reader.peer.received).includes(text)

/** The document is lost, and with it the connection where there is only one document. */
async function lost(endpoint: Endpoint, reader: Reader): Promise<void> {
  if (endpoint === 'yjs') expect((await reader.peer.ended()).code).toBe(CLOSE_CODES.absent)
  else await (reader.peer as NativePeer).frame('absent')
}

describe.each(ENDPOINTS)('a member who is removed, over the %s endpoint,', (endpoint) => {
  const gate = new Gate()
  let relay: TestRelay
  let asked: Pick<Hooks, 'authorize' | 'beforeCommit'> = {}

  beforeAll(async () => {
    relay = await startRelay({
      hooks: {
        authorize: (request) => asked.authorize?.(request),
        beforeCommit: (request) => asked.beforeCommit?.(request),
      },
    })
  })
  afterAll(() => relay?.close())

  async function scene() {
    asked = {}
    gate.held = 0
    const honest = await Onlookers.of(relay.url, ['mallory'])
    await honest.alice.accepted(post('before'))
    const mallory = await openDocument(endpoint, relay.url, 'mallory', honest.sid)
    const remove = () => operation('participant.remove', { sid: memberSid(honest.sid, 'mallory') })
    return { honest, mallory, remove }
  }

  it('between an upload and its decision: nothing of it is posted', async () => {
    const { honest, mallory, remove } = await scene()
    asked = { beforeCommit: ({ operation }) => gate.pass(operation) }
    gate.shut()
    // while alice's is being decided, the removal and mallory's post wait behind it, in this order
    const held = honest.alice.submit(post('held back'), remove())
    await gate.came
    const late = post('too late')
    mallory.upload(mallory.write(late))
    gate.open()
    expect(await held).toMatchObject([{ verdict: 'accepted' }, { verdict: 'accepted' }])
    await lost(endpoint, mallory)
    await honest.reached(honest.alice)
    const { alice, bob, served } = await honest.records()
    expect(bob).toEqual(alice)
    expect(served).toEqual(alice)
    expect(honest.bob.bodies).toEqual(['before', 'held back'])
    // told as a stranger would be, or not at all: never that it was accepted
    expect(mallory.outcomes.filter(({ verdict }) => verdict === 'accepted')).toEqual([])
    await honest.alice.accepted(post(AFTER))
    expect(holds(mallory, AFTER)).toBe(false)
  })

  it.each(['authorize', 'beforeCommit'] as const)(
    'while the hook %s has their operation: it was first and is posted, and what they add behind it is not',
    async (hook) => {
      const { honest, mallory, remove } = await scene()
      asked = { [hook]: ({ operation }: { operation: Operation }) => gate.pass(operation) }
      gate.shut()
      const first = post('held back, and in time')
      mallory.upload(mallory.write(first))
      await gate.came
      const removed = honest.alice.submit(remove(), post(AFTER))
      // once somebody who came later is answered, the removal is there
      const witness = await openDocument('native', relay.url, 'bob', honest.sid)
      await witness.peer.close()
      mallory.upload(mallory.write(post('and too late')))
      gate.open()
      expect(await removed).toMatchObject([{ verdict: 'accepted' }, { verdict: 'accepted' }])
      await lost(endpoint, mallory)
      await honest.reached(honest.alice)
      expect(honest.bob.bodies).toEqual(['before', 'held back, and in time', AFTER])
      expect(gate.held).toBe(1)
      expect(holds(mallory, AFTER)).toBe(false)
    },
  )

  it('and added again: what was turned away meanwhile is not posted, and a replay posts nothing twice', async () => {
    const { honest, mallory, remove } = await scene()
    const early = post('early')
    const replay = mallory.write(early)
    mallory.upload(replay)
    await mallory.outcomeOf(early.id)
    await honest.alice.accepted(remove())
    await lost(endpoint, mallory)
    const away = await openDocument(endpoint, relay.url, 'mallory', honest.sid)
    const fresh = new Y.Doc()
    const turnedAway = post('while away')
    fresh.getArray('outbox/mallory').push([turnedAway])
    away.upload(Y.encodeStateAsUpdate(fresh))
    expect(await away.outcomeOf(turnedAway.id)).toMatchObject({ verdict: 'later', code: 70201 })
    if (endpoint === 'yjs') await away.peer.ended()
    await honest.alice.accepted(add('mallory'), post('welcome back'))
    const again = await openDocument(endpoint, relay.url, 'mallory', honest.sid)
    again.upload(replay)
    // the same id from a page of its own: told what became of it, and posted no second time
    expect(await again.submit(early)).toEqual([{ id: early.id, verdict: 'accepted' }])
    await honest.reached(again)
    expect(honest.bob.bodies).toEqual(['before', 'early', 'welcome back'])
    expect(honest.alice.bodies).toEqual(honest.bob.bodies)
  })

  it('in the midst of their own upload: what is ahead of their leaving stands, what is behind it does not', async () => {
    const { honest, mallory } = await scene()
    const operations = [post('farewell'), operation('conversation.leave', {}), post('one more thing')]
    mallory.upload(mallory.write(...operations))
    const last = operations[endpoint === 'native' ? 2 : 1] as Operation
    await mallory.outcomeOf(last.id)
    await lost(endpoint, mallory)
    // in this order; some of it twice, because the end of an upload repeats what its reader may not have been told
    const verdicts = operations.map(
      ({ id }) => mallory.outcomes.find((outcome) => outcome.id === id)?.verdict,
    )
    expect(verdicts).toEqual(['accepted', 'accepted', endpoint === 'native' ? 'later' : undefined])
    await honest.bob.peer.when(() => honest.bob.doc.getMap('participants').size === 2)
    expect(honest.bob.bodies).toEqual(['before', 'farewell'])
  })

  it('while they resume: they get nothing of what came after, whichever was first', async () => {
    const { honest, mallory, remove } = await scene()
    await mallory.peer.close()
    for (let round = 0; round < 20; round++) {
      const text = `${AFTER} ${round}`
      const opening = openDocument(endpoint, relay.url, 'mallory', honest.sid)
      await honest.alice.accepted(remove(), post(text))
      const again = await opening
      if (endpoint === 'native') {
        const peer = again.peer as NativePeer
        await peer.when(() =>
          peer.frames.some(
            (frame) =>
              frame.type === 'absent' ||
              (frame.type === 'opened' && frame.entries.some(({ status }) => status === 'absent')),
          ),
        )
        await peer.close()
      } else {
        if (again.bodies.length === 0) again.upload(Y.encodeStateAsUpdate(new Y.Doc()))
        again.peer.socket.close()
        await again.peer.ended()
      }
      expect(holds(again, text)).toBe(false)
      await honest.alice.accepted(add('mallory'))
    }
  })

  it('while they take a large document slowly: what follows the removal never comes', async () => {
    const { honest, mallory, remove } = await scene()
    await mallory.peer.close()
    for (let i = 0; i < 100; i++) await honest.alice.accepted(post(`${i} ${'x'.repeat(30_000)}`))
    const slow = await openSlowly(endpoint, honest.sid)
    await honest.alice.accepted(remove(), post(AFTER))
    slow.peer.socket.resume()
    if (endpoint === 'native') {
      await (slow.peer as NativePeer).when(() =>
        (slow.peer as NativePeer).frames.some(
          (frame) =>
            frame.type === 'absent' ||
            (frame.type === 'opened' && frame.entries.some(({ status }) => status === 'absent')),
        ),
      )
      await slow.peer.close()
    } else {
      expect((await slow.peer.ended()).code).toBe(CLOSE_CODES.absent)
    }
    expect(holds(slow, AFTER)).toBe(false)
    await honest.reached(honest.alice)
    expect(honest.bob.bodies.at(-1)).toBe(AFTER)
  })

  /** A reader that has asked for the whole document and stopped reading. */
  async function openSlowly(over: Endpoint, sid: string): Promise<Reader> {
    if (over === 'native') {
      const peer = await NativePeer.connect(relay.url, 'mallory')
      peer.say({ type: 'open', entries: [{ channel: 1, document: sid, pending: false, ...NOTHING }] })
      await once(peer.socket, 'message')
      peer.socket.pause()
      return { peer } as unknown as Reader
    }
    const reader = await openDocument('yjs', relay.url, 'mallory', sid)
    reader.peer.socket.pause()
    return reader
  }

  it('none of it made the relay fail', () => expect(relay.failures).toEqual([]))
})
