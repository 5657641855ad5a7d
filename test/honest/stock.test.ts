/** Stock Yjs clients, as an app without the SDK has them: y-websocket, with y-indexeddb or without. */
import 'fake-indexeddb/auto'
import { outboxName } from '@confab/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { IndexeddbPersistence } from 'y-indexeddb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { post } from '../support/operations.ts'
import { openDocument, type Reader } from '../support/reader.ts'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'

let relay: TestRelay
let sid: string
let alice: Reader
const open: Stock[] = []

beforeAll(async () => {
  relay = await startRelay()
})
afterAll(() => relay?.close())
beforeEach(async () => {
  const made = await createConversation(relay.url, ['alice', 'bob', 'carol'])
  sid = made.sid
  alice = made.creator
  await alice.accepted(post('welcome'))
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
  await alice.peer.close()
  expect(relay.failures).toEqual([])
})

interface StockOptions {
  gc?: boolean
  /** Keep the document under this name. */
  store?: string
  /** Tabs of one browser tell each other. */
  tabs?: boolean
  /** Start without connecting. */
  offline?: boolean
  /** Take what is stored only when this is called. */
  storeLater?: boolean
}

class Stock {
  readonly doc: Y.Doc
  readonly outbox: Y.Array<unknown>
  readonly provider: WebsocketProvider
  /** Codes with which the relay ended a connection. */
  readonly closes: number[] = []
  readonly #options: StockOptions
  #store: IndexeddbPersistence | null = null

  private constructor(identity: string, token: string, options: StockOptions) {
    this.#options = options
    this.doc = new Y.Doc({ gc: options.gc ?? true })
    this.outbox = this.doc.getArray(outboxName(identity))
    this.provider = new WebsocketProvider(`${relay.url}/yjs`, sid, this.doc, {
      connect: false,
      disableBc: !options.tabs,
      params: { token },
    })
    this.provider.on('connection-close', (event) => {
      // 1000 and 1005: from this side
      if (event && event.code >= 1006) this.closes.push(event.code)
    })
  }

  /** What is stored is loaded before anything else; the connection is made behind it, and not waited for. */
  static async start(identity: string, options: StockOptions = {}): Promise<Stock> {
    const client = new Stock(identity, await tokenFor(identity), options)
    open.push(client)
    if (options.store && !options.storeLater) await client.load()
    if (!options.offline) client.provider.connect()
    return client
  }

  async load(): Promise<void> {
    this.#store = new IndexeddbPersistence(this.#options.store as string, this.doc)
    await this.#store.whenSynced
  }

  post(...bodies: string[]): void {
    this.outbox.push(bodies.map((body) => post(body)))
  }

  get bodies(): string[] {
    return (this.doc.getArray('messages').toJSON() as { index: number; body: string }[])
      .sort((a, b) => a.index - b.index)
      .map(({ body }) => body)
  }

  /** Resolves once it holds, asked again after every change. */
  until(test: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!test()) return
        this.doc.off('update', look)
        resolve()
      }
      this.doc.on('update', look)
      look()
    })
  }

  /** Shows these messages, has nothing waiting, and was never turned away. */
  async shows(...bodies: string[]): Promise<void> {
    await this.until(() => this.bodies.length >= bodies.length && this.outbox.length === 0)
    expect(this.bodies).toEqual(bodies)
    expect(this.doc.store.pendingStructs).toBe(null)
    expect(this.closes).toEqual([])
  }

  /** The page is closed. */
  async close(): Promise<void> {
    this.provider.destroy()
    await this.#store?.destroy()
    this.doc.destroy()
  }
}

describe('a stock client', () => {
  it('reads live and posts', async () => {
    const bob = await Stock.start('bob')
    const carol = await Stock.start('carol')
    await bob.shows('welcome')
    bob.post('hello')
    await carol.shows('welcome', 'hello')
    carol.post('hi')
    await bob.shows('welcome', 'hello', 'hi')
    await alice.peer.when(() => alice.bodies.length === 3)
    // nobody sees anybody else's outbox, not even decided
    expect([...carol.doc.share.keys()]).not.toContain(outboxName('bob'))
    expect([...bob.doc.share.keys()]).not.toContain(outboxName('carol'))
  })

  it('posts before it has heard anything of the relay', async () => {
    const bob = await Stock.start('bob')
    bob.post('early')
    bob.post('and early again')
    await bob.shows('welcome', 'early', 'and early again')
  })

  it('reloads from y-indexeddb again and again, posting each time, offline and not', async () => {
    const store = `reloads ${sid}`
    let bob = await Stock.start('bob', { store })
    await bob.shows('welcome')
    const expected = ['welcome']
    for (let i = 0; i < 6; i++) {
      await bob.close()
      bob = await Stock.start('bob', { store, offline: true, gc: i % 2 === 0 })
      const bodies = [`${i} offline`, `${i} offline, too`]
      bob.post(...bodies)
      expected.push(...bodies)
      if (i % 2 === 1) {
        // two loads' worth at once, under two client ids
        bob.provider.connect()
        bob.post(`${i} while connecting`)
        expected.push(`${i} while connecting`)
        await bob.shows(...expected)
      }
    }
    await alice.peer.when(() => alice.bodies.length === expected.length)
    expect(alice.bodies).toEqual(expected)
  })

  it('loads what is stored while it is connected', async () => {
    const store = `late ${sid}`
    const before = await Stock.start('bob', { store, offline: true })
    before.post('written on the way')
    await before.close()
    const bob = await Stock.start('bob', { store, storeLater: true })
    await bob.shows('welcome')
    await bob.load()
    await bob.shows('welcome', 'written on the way')
  })

  it('has a second device that appends behind the first', async () => {
    const phone = await Stock.start('bob')
    const laptop = await Stock.start('bob')
    await Promise.all([phone.shows('welcome'), laptop.shows('welcome')])
    phone.post('phone')
    await laptop.shows('welcome', 'phone')
    laptop.post('laptop')
    await phone.shows('welcome', 'phone', 'laptop')
    phone.post('phone again')
    await laptop.shows('welcome', 'phone', 'laptop', 'phone again')
  })

  it('has two tabs that tell each other, and both upload', async () => {
    const left = await Stock.start('bob', { tabs: true })
    const right = await Stock.start('bob', { tabs: true })
    await Promise.all([left.shows('welcome'), right.shows('welcome')])
    left.post('left')
    right.post('right')
    left.post('left again')
    await left.until(() => left.bodies.length === 4)
    await right.until(() => right.bodies.length === 4)
    expect(left.bodies.toSorted()).toEqual(['left', 'left again', 'right', 'welcome'])
    expect(left.bodies.indexOf('left')).toBeLessThan(left.bodies.indexOf('left again'))
    await right.shows(...left.bodies)
    await left.shows(...right.bodies)
  })

  it('undoes what was not sent, and it is never posted', async () => {
    const bob = await Stock.start('bob', { offline: true })
    const undo = new Y.UndoManager(bob.outbox, { captureTimeout: 0 })
    bob.post('kept')
    bob.post('regretted')
    bob.post('regretted, too')
    undo.undo()
    undo.undo()
    bob.post('kept as well')
    bob.provider.connect()
    await bob.shows('welcome', 'kept', 'kept as well')
    undo.destroy()
  })

  it('undoes and redoes after the decision: nothing is taken back, and nothing is posted twice', async () => {
    const bob = await Stock.start('bob')
    const undo = new Y.UndoManager(bob.outbox, { captureTimeout: 0 })
    bob.post('once')
    await bob.shows('welcome', 'once')
    undo.undo()
    undo.redo()
    undo.undo()
    undo.redo()
    bob.post('behind it')
    await bob.shows('welcome', 'once', 'behind it')
    await alice.peer.when(() => alice.bodies.length === 3)
    expect(alice.bodies).toEqual(['welcome', 'once', 'behind it'])
    undo.destroy()
  })

  it('keeps a document without garbage collection, with withdrawn operations in the middle', async () => {
    const bob = await Stock.start('bob', { gc: false, offline: true })
    bob.post('one', 'two', 'three', 'four', 'five')
    bob.outbox.delete(1, 3)
    bob.provider.connect()
    await bob.shows('welcome', 'one', 'five')
    // and sends everything that it ever had again
    for (let i = 0; i < 3; i++) {
      bob.provider.disconnect()
      bob.post(`again ${i}`)
      bob.provider.connect()
      await bob.until(() => bob.bodies.includes(`again ${i}`))
    }
    await bob.shows('welcome', 'one', 'five', 'again 0', 'again 1', 'again 2')
  })

  it('sends its complete state again with every reconnection', async () => {
    const bob = await Stock.start('bob')
    await bob.shows('welcome')
    for (let i = 0; i < 5; i++) {
      bob.post(`message ${i}`)
      // the whole document as an update of its own: known structs, the complete delete set
      const state = Y.encodeStateAsUpdate(bob.doc)
      const twin = await openDocument('yjs', relay.url, 'bob', sid)
      twin.upload(state)
      await twin.peer.when(() => twin.bodies.includes(`message ${i}`))
      await twin.peer.close()
      bob.provider.disconnect()
      bob.provider.connect()
    }
    const bodies = ['welcome', ...Array.from({ length: 5 }, (_, i) => `message ${i}`)]
    await bob.shows(...bodies)
    await alice.peer.when(() => alice.bodies.length === bodies.length)
    expect(alice.bodies).toEqual(bodies)
  })

  it('is refused what the SDK would be refused, and goes on', async () => {
    const bob = await Stock.start('bob')
    await bob.shows('welcome')
    bob.outbox.push([post('x'.repeat(33 * 1024)), { nonsense: true }, 7, post('fine')])
    await bob.shows('welcome', 'fine')
    await alice.peer.when(() => alice.bodies.length === 2)
    expect(alice.bodies).toEqual(['welcome', 'fine'])
  })
})
