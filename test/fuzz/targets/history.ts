/**
 * The other direction: whatever honest devices do to their documents, what they upload is admitted, and what is
 * admitted is what was written.
 */
import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import {
  type AdmittedOperation,
  compactUpdates,
  readUpdate,
} from '../../../packages/core/src/update/index.ts'
import {
  isComplete,
  load,
  RelayModel,
  randomCommit,
  seeded,
} from '../../../packages/core/test/relay-model.ts'
import { TEST_BOUNDS, upload } from '../../../packages/core/test/relay-upload.ts'
import { Choices, someText } from '../choices.ts'
import { Finding, type Target } from '../target.ts'
import { expectSameEffect, expectSameReading } from '../update-effect.ts'

const OUTBOX = 'outbox/ada'
const ACTIONS = [
  'push',
  'upload',
  'hear',
  'insert',
  'withdraw',
  'undo',
  'redo',
  'batch',
  'transaction',
  'meet',
  'reload',
  'reload from a part',
  'lose a row',
  'rejoin',
  'others write',
  'relay restarts',
] as const
const UPLOADS = [
  'state',
  'since what the relay said',
  'last row',
  'all rows',
  'merged rows',
  'diff of merged rows',
  'through format V2',
  'since anything',
  'rows in another order',
] as const

/** A device's document, as y-indexeddb and y-websocket would have it. */
class Device {
  readonly doc: Y.Doc
  readonly outbox: Y.Array<unknown>
  readonly undo: Y.UndoManager
  /** Everything that was ever applied, row by row: what its database holds. */
  readonly rows: Uint8Array[] = []
  /** Of those, the ones that were made here. */
  readonly own: Uint8Array[] = []
  /** How much of what the relay said it has heard. */
  heard = 0

  constructor(world: World, rows: readonly Uint8Array[]) {
    this.doc = new Y.Doc({ gc: world.choices.int(3) > 0 })
    this.doc.clientID = world.freshId()
    this.outbox = this.doc.getArray(OUTBOX)
    // loaded in one transaction, as y-indexeddb does
    this.doc.transact(() => {
      for (const row of rows) Y.applyUpdate(this.doc, row)
    })
    this.rows.push(...rows)
    this.undo = new Y.UndoManager(this.outbox, { captureTimeout: 0 })
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      this.rows.push(update)
      if (origin !== 'remote') this.own.push(update)
    })
  }

  receive(updates: readonly Uint8Array[]): void {
    for (const update of updates) Y.applyUpdate(this.doc, update, 'remote')
  }

  get state(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc)
  }
}

class World {
  readonly choices: Choices
  readonly relay: RelayModel
  readonly ids: ReturnType<typeof seeded>
  readonly devices: Device[] = []
  /** All that the relay told this person's devices, in order. */
  readonly told: Uint8Array[]
  readonly written = new Map<string, unknown>()
  readonly decided = new Map<string, unknown>()
  readonly trace: string[] = []
  operations = 0
  /** What stands behind a row that was lost waits for it for ever. */
  hasLostRows = false
  readonly used = new Set<number>()

  constructor(choices: Choices) {
    this.choices = choices
    this.ids = seeded(choices.int(256))
    this.relay = new RelayModel(() => this.freshId())
    for (let left = choices.int(5); left > 0; left--) randomCommit(this.relay, this.ids)
    this.told = [...this.relay.updates]
    for (let left = 1 + choices.int(3); left > 0; left--)
      this.devices.push(new Device(this, choices.int(2) ? this.told : []))
    for (const device of this.devices) if (device.rows.length > 0) device.heard = this.told.length
  }

  /** Any 32 bits, the largest and the smallest now and then; nobody draws one that somebody has. */
  freshId(): number {
    for (;;) {
      const drawn = this.ids.u32()
      const kind = drawn % 16
      const id = kind === 0 ? 0xffff_ffff - (drawn >>> 28) : kind === 1 ? drawn >>> 24 : drawn
      if (this.used.has(id)) continue
      this.used.add(id)
      return id
    }
  }

  operation(): object {
    const id = `operation ${this.operations++}`
    const operation = { id, body: someText(this.choices, true) }
    // lone surrogates don't survive UTF-8
    this.written.set(id, { id, body: operation.body.toWellFormed() })
    return operation
  }

  act(): void {
    const { choices } = this
    const at = choices.int(this.devices.length)
    const device = this.devices[at] as Device
    const action = choices.pick(ACTIONS)
    this.trace.push(`device ${at}: ${action}`)
    const { outbox, doc } = device
    switch (action) {
      case 'push':
        outbox.push([this.operation()])
        break
      case 'insert':
        outbox.insert(choices.int(outbox.length + 1), [this.operation()])
        break
      case 'withdraw':
        if (outbox.length > 0) {
          const from = choices.int(outbox.length)
          outbox.delete(from, 1 + choices.int(outbox.length - from))
        }
        break
      case 'undo':
        device.undo.undo()
        break
      case 'redo':
        device.undo.redo()
        break
      case 'batch':
        outbox.push(Array.from({ length: 2 + choices.int(40) }, () => this.operation()))
        break
      case 'transaction':
        doc.transact(() => {
          for (let left = 1 + choices.int(5); left > 0; left--) {
            if (outbox.length > 0 && choices.int(3) === 0) outbox.delete(choices.int(outbox.length), 1)
            else outbox.insert(choices.int(outbox.length + 1), [this.operation()])
          }
        })
        break
      case 'upload':
        this.upload(device, this.uploadOf(device))
        break
      case 'hear': {
        const until = device.heard + 1 + choices.int(this.told.length - device.heard + 1)
        device.receive(this.told.slice(device.heard, until))
        device.heard = Math.min(until, this.told.length)
        break
      }
      case 'meet': {
        const other = choices.pick(this.devices)
        const since = choices.int(2) === 1 ? Y.encodeStateVector(device.doc) : undefined
        device.receive([Y.encodeStateAsUpdate(other.doc, since)])
        break
      }
      case 'reload':
        this.devices[at] = this.reloaded(device, [device.state])
        break
      case 'reload from a part':
        // the last writes were lost
        this.devices[at] = this.reloaded(device, device.rows.slice(0, choices.int(device.rows.length + 1)))
        break
      case 'lose a row': {
        this.hasLostRows = true
        const lost = choices.int(device.rows.length + 1)
        this.devices[at] = this.reloaded(device, device.rows.toSpliced(lost, 1))
        break
      }
      case 'rejoin':
        if (this.devices.length < 5)
          this.devices.push(new Device(this, choices.int(2) ? [device.state] : this.told))
        break
      case 'others write':
        this.told.push(randomCommit(this.relay, this.ids))
        break
      case 'relay restarts':
        this.relay.renew()
    }
  }

  reloaded(device: Device, rows: readonly Uint8Array[]): Device {
    const again = new Device(this, rows)
    // what it hears from now on may be what it has lost
    again.heard = device.heard > 0 && this.choices.int(2) === 1 ? device.heard : 0
    return again
  }

  uploadOf(device: Device): Uint8Array {
    const { choices } = this
    const { doc, own } = device
    const how = choices.pick(UPLOADS)
    this.trace.push(`  ${how}`)
    const some = own.slice(choices.int(own.length + 1))
    switch (how) {
      case 'state':
        return device.state
      case 'since what the relay said':
        return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(this.relay.stateVector()))
      case 'last row':
        return own.at(-1) ?? device.state
      case 'all rows':
        return own.length > 0 ? Y.mergeUpdates(own) : device.state
      case 'merged rows':
        return some.length > 0
          ? Y.mergeUpdates(some.filter(() => choices.int(3) > 0).concat(some.slice(0, 1)))
          : device.state
      case 'diff of merged rows': {
        const vector = new Map(this.relay.stateVector())
        for (const client of vector.keys()) if (choices.int(3) === 1) vector.delete(client)
        return Y.diffUpdate(Y.mergeUpdates([device.state, ...some]), Y.encodeStateVector(vector))
      }
      case 'through format V2':
        return Y.convertUpdateFormatV2ToV1(Y.encodeStateAsUpdateV2(doc))
      case 'since anything': {
        const vector = Y.decodeStateVector(Y.encodeStateVector(doc))
        for (const [client, clock] of vector) vector.set(client, choices.int(clock + 1))
        return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(vector))
      }
      case 'rows in another order':
        return some.length > 0 ? Y.mergeUpdates(some.toReversed()) : device.state
    }
  }

  /** @returns whether something was missing */
  upload(device: Device, update: Uint8Array): boolean {
    const known = {
      // as one: it is loaded again and again
      updates: [
        Y.encodeStateAsUpdate(load([...this.relay.updates, ...(this.relay.outboxUpdates.get(OUTBOX) ?? [])])),
      ],
      knowledge: this.relay.knowledge(OUTBOX),
    }
    // as it was: the relay's knowledge moves on with what it takes
    const frozen = { ...known.knowledge, ...frozenKnowledge(this.relay) }
    const { admission, replies } = upload(this.relay, OUTBOX, update)
    if (admission.kind !== 'admitted')
      throw new Finding(`an honest update: ${admission.kind}`, { admission, update })
    const parsed = readUpdate(update, TEST_BOUNDS)
    if (!expectSameReading(parsed)) throw new Finding('Yjs cannot read its own update')
    expectSameEffect({ ...known, knowledge: frozen }, parsed, admission)
    this.expectWritten(admission.operations)
    this.told.push(...replies)
    // it answers on the connection that uploaded, if that lives
    if (this.choices.int(2) === 1) device.receive(replies)
    return admission.missing
  }

  expectWritten(operations: readonly AdmittedOperation[]): void {
    for (const { value } of operations) {
      const { id } = value as { id: string }
      if (!isDeepStrictEqual(value, this.written.get(id)))
        throw new Finding('another operation than was written', { value, written: this.written.get(id) })
      this.decided.set(id, value)
    }
  }

  /** Everybody hears everything and says all they have: nothing is left to say, and all see the same. */
  settle(): void {
    for (let round = 0; round < 2; round++) {
      for (const device of this.devices) {
        device.receive(this.told)
        this.upload(device, device.state)
      }
    }
    for (const device of this.devices) {
      device.receive(this.told)
      for (const other of this.devices) device.receive([other.state])
      device.receive(this.told)
    }
    for (const { doc, outbox, state } of this.devices) {
      if (outbox.length > 0) throw new Finding('something is left in an outbox', outbox.toJSON())
      if (!isComplete(doc) && !this.hasLostRows) throw new Finding('a document waits for something')
      this.expectRecords(doc)
      const { admission } = upload(this.relay, OUTBOX, state)
      if (
        admission.kind !== 'admitted' ||
        admission.structs.length > 0 ||
        (admission.missing && !this.hasLostRows)
      )
        throw new Finding('something is new when all was said', admission)
    }
    const own = this.relay.outboxUpdates.get(OUTBOX) ?? []
    for (const updates of [
      [...this.relay.updates, ...own],
      [compactUpdates([...this.relay.updates, ...own])],
    ]) {
      const doc = load(updates)
      if (!isComplete(doc) || doc.getArray(OUTBOX).length > 0) throw new Finding('a newcomer sees an outbox')
      this.expectRecords(doc)
    }
  }

  expectRecords(doc: Y.Doc): void {
    if (!isDeepStrictEqual(this.relay.seen(doc), this.relay.expected()))
      throw new Finding('other records than the relay has', { seen: this.relay.seen(doc) })
  }
}

/** What the relay knows, as it stands now. */
function frozenKnowledge(relay: RelayModel) {
  const clocks = relay.stateVector()
  const owners = new Map(
    [...relay.clients.keys()].map((client) => [client, relay.knowledge(OUTBOX).owner(client)]),
  )
  const { owner } = relay.knowledge(OUTBOX)
  const isRelays = new Set([...clocks.keys()].filter((client) => owner(client) === 'relay'))
  return {
    clock: (client: number) => clocks.get(client) ?? 0,
    owner: (client: number) => (isRelays.has(client) ? ('relay' as const) : (owners.get(client) ?? null)),
  }
}

function play(input: Uint8Array): World {
  const world = new World(new Choices(input))
  try {
    while (!world.choices.isSpent) world.act()
    world.settle()
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { trace: world.trace })
    throw error
  } finally {
    for (const { undo, doc } of world.devices) {
      undo.destroy()
      doc.destroy()
    }
  }
  return world
}

export const historyTarget: Target = {
  name: 'history',
  about:
    'honest devices with any editing history: all is admitted, as a stock Y.Doc shows it and as it was written',
  bytes: 100,
  sources: ['/packages/core/src/update/'],
  run(input) {
    play(input)
  },
  describe(input) {
    try {
      return play(input).trace.join('\n')
    } catch (error) {
      return (error as { trace?: string[] }).trace?.join('\n') ?? ''
    }
  },
}
