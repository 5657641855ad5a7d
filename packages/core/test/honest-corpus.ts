/**
 * Odd but honest updates, made by real Yjs documents while a test runs: what admission must neither refuse nor
 * misread. Each scenario is a generator: it yields what a device uploads and is resumed with everything that the
 * relay sent to that identity since, so the same scenarios run against a model in one process and a relay behind a
 * socket. It returns the devices, which must end with nothing in their outbox once they have all replies.
 */
import * as Y from 'yjs'

export interface HonestEnvironment {
  /** Root name of the identity's outbox. */
  outbox: string
  /** What the relay sent this identity so far: its conversation, with records in it. */
  initial: readonly Uint8Array[]
  /** A fresh operation, acceptable to the relay, with this text somewhere in it. */
  operation(text?: string): object
  /** An unsigned 32-bit integer, seeded. */
  random(): number
}

export interface HonestUpload {
  update: Uint8Array
  /** The operations that must be decided because of it, in any order that respects the devices'. */
  operations: object[]
  /** Some part of it depends on what the relay can't have: it must ask for more, and not refuse. */
  missing?: boolean
}

export interface HonestScenario {
  name: string
  run(env: HonestEnvironment): Generator<HonestUpload, Y.Doc[], readonly Uint8Array[]>
}

/** A device's document: real 32-bit ids, seeded. */
class Device {
  readonly doc: Y.Doc
  readonly outbox: Y.Array<object>
  /** One row per local transaction, as y-indexeddb keeps them and y-websocket sends them. */
  readonly rows: Uint8Array[] = []
  private readonly env: HonestEnvironment

  constructor(
    env: HonestEnvironment,
    options: { gc?: boolean; from?: readonly Uint8Array[]; client?: number } = {},
  ) {
    this.env = env
    this.doc = new Y.Doc({ gc: options.gc ?? true })
    this.doc.clientID = options.client ?? env.random()
    this.outbox = this.doc.getArray(env.outbox)
    this.receive(options.from ?? env.initial)
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'relay') this.rows.push(update)
    })
  }

  receive(updates: readonly Uint8Array[]): void {
    for (const update of updates) Y.applyUpdate(this.doc, update, 'relay')
  }

  /** Appends operations in one transaction. */
  push(count = 1, text?: string): object[] {
    const operations = Array.from({ length: count }, () => this.env.operation(text))
    this.outbox.push(operations)
    return operations
  }

  get state(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc)
  }

  get vector(): Uint8Array {
    return Y.encodeStateVector(this.doc)
  }

  since(vector: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, vector)
  }

  get lastRow(): Uint8Array {
    return this.rows[this.rows.length - 1] as Uint8Array
  }

  /** What the page finds after a reload: the stored state, under a fresh client id. */
  reloaded(options: { gc?: boolean } = {}): Device {
    return new Device(this.env, { from: [this.state], ...options })
  }
}

const scenario = (name: string, run: HonestScenario['run']): HonestScenario => ({ name, run })

export const HONEST_SCENARIOS: readonly HonestScenario[] = [
  scenario('one keystroke after the other', function* (env) {
    const device = new Device(env)
    for (let i = 0; i < 5; i++) {
      const operations = device.push()
      device.receive(yield { update: device.lastRow, operations })
    }
    return [device.doc]
  }),

  scenario('keystrokes that run ahead of the answers', function* (env) {
    const device = new Device(env)
    const replies: Uint8Array[] = []
    for (let i = 0; i < 5; i++) {
      const operations = device.push(1 + (i % 3))
      replies.push(...(yield { update: device.lastRow, operations }))
    }
    device.receive(replies)
    return [device.doc]
  }),

  scenario('an early keystroke that overtakes the ones before it', function* (env) {
    const device = new Device(env)
    const first = device.push(2)
    const second = device.push()
    device.receive(yield { update: device.lastRow, operations: [], missing: true })
    device.receive(yield { update: device.state, operations: [...first, ...second] })
    return [device.doc]
  }),

  scenario('a device that never met the relay', function* (env) {
    const device = new Device(env, { from: [] })
    const operations = [...device.push(3), ...device.push(), ...device.push(2)]
    const replies = yield { update: device.state, operations }
    device.receive([...env.initial, ...replies])
    return [device.doc]
  }),

  scenario('the complete state again and again, with its whole delete set', function* (env) {
    const device = new Device(env)
    const first = device.push(4)
    device.receive(yield { update: device.state, operations: first })
    device.receive(yield { update: device.state, operations: [] })
    const more = device.push(2)
    device.receive(yield { update: device.state, operations: more })
    device.receive(yield { update: device.state, operations: [] })
    return [device.doc]
  }),

  scenario('a complete state that was made before the answers', function* (env) {
    const device = new Device(env)
    const before = device.push(3)
    const replies = [...(yield { update: device.state, operations: before })]
    const after = device.push(2)
    replies.push(...(yield { update: device.state, operations: after }))
    replies.push(...(yield { update: device.state, operations: [] }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('a diff against an older state vector, which cuts into a run that is half known', function* (env) {
    const device = new Device(env, { gc: false })
    const start = device.vector
    const first = device.push(3)
    const middle = device.vector
    const replies = [...(yield { update: device.since(start), operations: first })]
    const second = device.push(3)
    // one run of six elements by now, of which the relay has three, then the last four of eight
    replies.push(...(yield { update: device.since(start), operations: second }))
    const third = device.push(2)
    replies.push(...(yield { update: device.since(middle), operations: third }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('a diff that begins inside a run', function* (env) {
    const device = new Device(env)
    const operations = device.push(8)
    const { clientID } = device.doc
    const vector = Y.decodeStateVector(device.vector)
    const clock = vector.get(clientID) as number
    vector.set(clientID, clock - 3)
    device.receive(yield { update: device.since(Y.encodeStateVector(vector)), operations: [], missing: true })
    device.receive(yield { update: device.state, operations })
    return [device.doc]
  }),

  scenario('reloads, each under a fresh client id', function* (env) {
    let device = new Device(env)
    const replies: Uint8Array[] = []
    const written: object[] = []
    for (let i = 0; i < 4; i++) {
      written.push(...device.push(2))
      device = device.reloaded({ gc: i % 2 === 0 })
    }
    written.push(...device.push())
    replies.push(...(yield { update: device.state, operations: written }))
    device.receive(replies)
    device = device.reloaded()
    const more = device.push()
    device.receive(yield { update: device.lastRow, operations: more })
    return [device.doc]
  }),

  scenario("a second device that appends behind the first one's item", function* (env) {
    const phone = new Device(env)
    const laptop = new Device(env)
    const first = phone.push()
    const replies = [...(yield { update: phone.lastRow, operations: first })]
    laptop.receive(replies)
    phone.receive(replies)
    const second = laptop.push()
    const more = yield { update: laptop.lastRow, operations: second }
    phone.receive(more)
    laptop.receive(more)
    const third = phone.push()
    const last = yield { update: phone.lastRow, operations: third }
    phone.receive(last)
    laptop.receive(last)
    return [phone.doc, laptop.doc]
  }),

  scenario('two tabs that append behind each other offline, uploaded by one of them', function* (env) {
    const left = new Device(env)
    const right = new Device(env)
    const operations: object[] = []
    for (let i = 0; i < 4; i++) {
      operations.push(...left.push(1 + (i % 2)))
      right.receive([left.lastRow])
      operations.push(...right.push())
      left.receive([right.lastRow])
    }
    const replies = [...(yield { update: left.state, operations })]
    replies.push(...(yield { update: right.state, operations: [] }))
    left.receive(replies)
    right.receive(replies)
    return [left.doc, right.doc]
  }),

  scenario("a tab whose newest row stands behind another tab's that the relay lacks", function* (env) {
    const left = new Device(env)
    const right = new Device(env)
    const first = left.push()
    right.receive([left.lastRow])
    const second = right.push()
    const replies = [...(yield { update: right.lastRow, operations: [], missing: true })]
    replies.push(...(yield { update: right.state, operations: [...first, ...second] }))
    replies.push(...(yield { update: left.state, operations: [] }))
    left.receive(replies)
    right.receive(replies)
    return [left.doc, right.doc]
  }),

  scenario('undo before the upload', function* (env) {
    const device = new Device(env)
    const undo = new Y.UndoManager(device.outbox, { captureTimeout: 0 })
    const kept = device.push()
    device.push(2)
    undo.undo()
    device.receive(yield { update: device.state, operations: kept })
    undo.destroy()
    return [device.doc]
  }),

  scenario('undo before the upload, the rows sent one by one', function* (env) {
    const device = new Device(env)
    const undo = new Y.UndoManager(device.outbox, { captureTimeout: 0 })
    device.push()
    undo.undo()
    const [pushed, undone] = device.rows as [Uint8Array, Uint8Array]
    const replies = [...(yield { update: undone, operations: [], missing: true })]
    replies.push(...(yield { update: Y.mergeUpdates([pushed, undone]), operations: [] }))
    device.receive(replies)
    undo.destroy()
    return [device.doc]
  }),

  scenario('undo and redo before the upload', function* (env) {
    const device = new Device(env)
    const undo = new Y.UndoManager(device.outbox, { captureTimeout: 0 })
    const first = device.push()
    const second = device.push(2)
    undo.undo()
    undo.redo()
    undo.undo()
    undo.redo()
    const third = device.push()
    device.receive(yield { update: device.state, operations: [...first, ...second, ...third] })
    undo.destroy()
    return [device.doc]
  }),

  scenario('undo and redo after the decision: the same operation again, under another item', function* (env) {
    const device = new Device(env)
    const undo = new Y.UndoManager(device.outbox, { captureTimeout: 0 })
    const operations = device.push()
    const replies = [...(yield { update: device.lastRow, operations })]
    undo.undo()
    replies.push(...(yield { update: device.lastRow, operations: [] }))
    undo.redo()
    replies.push(...(yield { update: device.lastRow, operations }))
    device.receive(replies)
    device.receive(yield { update: device.state, operations: [] })
    undo.destroy()
    return [device.doc]
  }),

  scenario('a document without garbage collection, with withdrawn operations in the middle', function* (env) {
    const device = new Device(env, { gc: false })
    const operations = device.push(6)
    device.outbox.delete(2, 2)
    const kept = operations.filter((_, i) => i < 2 || i > 3)
    device.receive(yield { update: device.state, operations: kept })
    device.receive(yield { update: device.state, operations: [] })
    return [device.doc]
  }),

  scenario('a document with garbage collection, with withdrawn operations in the middle', function* (env) {
    const device = new Device(env)
    const operations = device.push(6)
    device.outbox.delete(1, 4)
    device.receive(yield { update: device.state, operations: [operations[0], operations[5]] as object[] })
    device.receive(yield { update: device.state, operations: [] })
    return [device.doc]
  }),

  scenario('written and taken back in one transaction', function* (env) {
    const device = new Device(env)
    const operations: object[] = []
    device.doc.transact(() => {
      operations.push(...device.push(3))
      device.outbox.delete(0, 2)
    })
    device.receive(yield { update: device.lastRow, operations: operations.slice(2) })
    return [device.doc]
  }),

  scenario('inserted in front and in the middle: right origins', function* (env) {
    const device = new Device(env)
    const operations = device.push(2)
    const front = [env.operation()]
    const middle = [env.operation(), env.operation()]
    device.outbox.unshift(front)
    device.outbox.insert(2, middle)
    const replies = [...(yield { update: device.state, operations: [...operations, ...front, ...middle] })]
    const late = [env.operation()]
    device.outbox.insert(1, late)
    replies.push(...(yield { update: device.lastRow, operations: late }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('rows merged with one missing between them', function* (env) {
    const device = new Device(env)
    const first = device.push()
    const second = device.push()
    const third = device.push()
    const [one, two, three] = device.rows as [Uint8Array, Uint8Array, Uint8Array]
    const replies = [...(yield { update: Y.mergeUpdates([one, three]), operations: first, missing: true })]
    replies.push(...(yield { update: Y.mergeUpdates([two, three]), operations: [...second, ...third] }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('every stored row again, as a cache that loads while connected', function* (env) {
    const device = new Device(env)
    const operations = [device.push(), device.push(2), device.push()]
    const replies: Uint8Array[] = []
    for (const [i, row] of device.rows.entries()) {
      replies.push(...(yield { update: row, operations: operations[i] as object[] }))
    }
    for (const row of device.rows) replies.push(...(yield { update: row, operations: [] }))
    replies.push(...(yield { update: Y.mergeUpdates(device.rows), operations: [] }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('pending structs of another tab travel along with the state', function* (env) {
    const left = new Device(env)
    const right = new Device(env)
    const first = left.push()
    const second = left.push()
    const [one, two] = left.rows as [Uint8Array, Uint8Array]
    // the first row is lost on its way to the other tab
    right.receive([two])
    const own = right.push()
    const replies = [...(yield { update: right.state, operations: own, missing: true })]
    replies.push(...(yield { update: left.state, operations: [...first, ...second] }))
    right.receive([one, ...replies])
    left.receive(replies)
    return [left.doc, right.doc]
  }),

  scenario('the outbox emptied by the app', function* (env) {
    const device = new Device(env)
    const operations = device.push(3)
    const replies = [...(yield { update: device.lastRow, operations })]
    device.outbox.delete(0, device.outbox.length)
    replies.push(...(yield { update: device.lastRow, operations: [] }))
    replies.push(...(yield { update: device.state, operations: [] }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('a large batch in one transaction, and many small ones', function* (env) {
    const device = new Device(env)
    const operations = device.push(300)
    for (let i = 0; i < 200; i++) operations.push(...device.push())
    device.receive(yield { update: device.state, operations })
    return [device.doc]
  }),

  scenario('emoji, right-to-left, byte order marks, long text', function* (env) {
    const device = new Device(env)
    const texts = [
      '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}',
      'שלום',
      '\ufeff',
      '\u0000',
      'é'.repeat(4000),
      'x'.repeat(9000),
    ]
    const operations = texts.flatMap((text) => device.push(1, text))
    device.receive(yield { update: device.state, operations })
    return [device.doc]
  }),

  scenario('the highest and the lowest client ids', function* (env) {
    const highest = new Device(env, { client: 0xffff_ffff })
    const lowest = new Device(env, { client: 1 })
    const operations = highest.push(2)
    lowest.receive([highest.lastRow])
    operations.push(...lowest.push(2))
    const replies = yield { update: lowest.state, operations }
    highest.receive(replies)
    lowest.receive(replies)
    return [highest.doc, lowest.doc]
  }),

  scenario('format V2 turned into V1, and a diff of merged rows', function* (env) {
    const device = new Device(env)
    const start = device.vector
    const first = device.push(2)
    const turned = Y.convertUpdateFormatV2ToV1(Y.encodeStateAsUpdateV2(device.doc))
    const replies = [...(yield { update: turned, operations: first })]
    const second = device.push(2)
    replies.push(...(yield { update: Y.diffUpdate(Y.mergeUpdates(device.rows), start), operations: second }))
    device.receive(replies)
    return [device.doc]
  }),

  scenario('nothing at all', function* (env) {
    const device = new Device(env)
    device.receive(yield { update: device.since(device.vector), operations: [] })
    device.receive(yield { update: Uint8Array.of(0, 0), operations: [] })
    return [device.doc]
  }),

  scenario('devices, tabs and reloads at random', function* (env) {
    const devices = [new Device(env), new Device(env, { gc: false }), new Device(env, { from: [] })]
    const replies: Uint8Array[] = [...env.initial]
    const undecided = new Map<object, Device>()
    for (let step = 0; step < 25; step++) {
      const index = env.random() % devices.length
      const device = devices[index] as Device
      const other = devices[env.random() % devices.length] as Device
      switch (env.random() % 5) {
        case 0:
        case 1:
          for (const operation of device.push(1 + (env.random() % 3))) undecided.set(operation, device)
          break
        case 2:
          other.receive([device.state])
          break
        case 3:
          device.receive(replies)
          break
        default: {
          const held = new Set(device.outbox.toArray().map((operation) => JSON.stringify(operation)))
          const operations = [...undecided.keys()].filter((operation) => held.has(JSON.stringify(operation)))
          for (const operation of operations) undecided.delete(operation)
          replies.push(...(yield { update: device.state, operations }))
        }
      }
      if (env.random() % 8 === 0) devices[index] = device.reloaded()
    }
    for (const device of devices) {
      for (const other of devices) device.receive([other.state])
    }
    const [first] = devices as [Device]
    replies.push(...(yield { update: first.state, operations: [...undecided.keys()] }))
    for (const device of devices) device.receive(replies)
    return devices.map(({ doc }) => doc)
  }),
]
