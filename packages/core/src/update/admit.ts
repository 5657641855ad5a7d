/**
 * The boundary: what of an uploaded update is taken (docs/design.md, "The boundary"). Pure: it looks at the update
 * and at what the relay knows, and changes neither.
 *
 * Deletions are only ever read for one thing: which of the *new* items are withdrawn. The relay never applies a
 * client's delete set to its own state and never passes one on, so a range over known items, the relay's live ones
 * included, changes nothing for anybody and is ignored without a look at what is alive there (a complete delete set
 * names thousands of ranges, and checking them would need every deleted range in memory). Ranges that no honest
 * client can have come by are violations: above the relay's own clocks, or of somebody else's client id. A range
 * over the uploader's items (or nobody's) that the relay hasn't seen is a missing dependency.
 */
import { DependencyOrder, type NewStruct } from './dependency-order.ts'
import { readValues } from './read.ts'
import {
  type Admission,
  type AdmissionKnowledge,
  type Admitted,
  type AdmittedOperation,
  type ItemId,
  type OutboxStruct,
  type ParsedBlock,
  type ParsedStruct,
  type ParsedUpdate,
  UpdateViolation,
} from './types.ts'

/**
 * Judges an update that was read, for the identity whose knowledge is given. Never throws for what the update holds.
 * Work is proportional to the update's size.
 */
export function admitUpdate(update: ParsedUpdate, knowledge: AdmissionKnowledge): Admission {
  for (const block of update.blocks) {
    const taken = knowledge.owner(block.client) === 'other' || isOutboxUnderRelayId(block, knowledge)
    if (taken) return { kind: 'clientTaken', client: block.client }
  }
  try {
    return admit(update, knowledge)
  } catch (error) {
    if (error instanceof UpdateViolation) return { kind: 'violation', message: error.message }
    throw error
  }
}

/** The relay and a device drew the same random id: the device must take another one, and nobody did wrong. */
function isOutboxUnderRelayId(block: ParsedBlock, knowledge: AdmissionKnowledge): boolean {
  return (
    knowledge.owner(block.client) === 'relay' &&
    block.structs.some((struct) => struct.root === knowledge.outbox)
  )
}

function admit(update: ParsedUpdate, knowledge: AdmissionKnowledge): Admission {
  const order = new DependencyOrder((client) => knowledge.clock(client))
  for (const block of update.blocks) collectNew(block, knowledge, order)
  const { taken, missing } = order.resolve()

  const withdrawn = new Withdrawals(update)
  const operations: AdmittedOperation[] = []
  const structs: OutboxStruct[] = []
  const clocks = new Map<number, number>()
  const { clientRoom = Number.POSITIVE_INFINITY } = knowledge
  let bindings = 0
  let full = false
  const stopped = new Set<number>()
  for (const entry of taken) {
    if (stopped.size > 0 && dependsOn(entry, stopped, clocks, knowledge)) {
      stopped.add(entry.client)
      continue
    }
    if (!clocks.has(entry.client) && knowledge.owner(entry.client) === null && ++bindings > clientRoom) {
      full = true
      stopped.add(entry.client)
      continue
    }
    let length = entry.length
    if (entry.struct.kind === 'any') {
      const values = readValues(update, entry.struct, entry.clock - entry.struct.clock)
      for (let i = 0; i < values.length; i++) {
        if (withdrawn.has(entry.client, entry.clock + i)) continue
        if (operations.length === knowledge.room) {
          length = i
          break
        }
        const { value, bytes } = values[i] as (typeof values)[number]
        operations.push({ client: entry.client, clock: entry.clock + i, value, bytes })
      }
    }
    if (length < entry.length) {
      full = true
      stopped.add(entry.client)
    }
    if (length > 0) {
      structs.push({
        client: entry.client,
        clock: entry.clock,
        length,
        origin: entry.origin,
        rightOrigin: entry.rightOrigin,
      })
      clocks.set(entry.client, entry.clock + length)
    }
  }
  const unknownDeletion = judgeDeletions(update, knowledge)
  const clients = [...clocks].map(([client, clock]) => ({
    client,
    clock,
    bound: knowledge.owner(client) === 'self',
  }))
  return { kind: 'admitted', operations, structs, clients, missing: missing || full || unknownDeletion }
}

/**
 * What of an admission stands for its first `count` operations and everything before the next one: for committing
 * them without the rest.
 */
export function admittedUntil(admission: Admitted, count: number): Admitted {
  const next = admission.operations[count]
  if (!next) return admission
  const structs: OutboxStruct[] = []
  const clocks = new Map<number, number>()
  for (const struct of admission.structs) {
    const last = struct.client === next.client && next.clock < struct.clock + struct.length
    const length = last ? next.clock - struct.clock : struct.length
    if (length > 0) {
      structs.push({ ...struct, length })
      clocks.set(struct.client, struct.clock + length)
    }
    if (last) break
  }
  return {
    kind: 'admitted',
    operations: admission.operations.slice(0, count),
    structs,
    clients: admission.clients
      .filter(({ client }) => clocks.has(client))
      .map(({ client, bound }) => ({ client, clock: clocks.get(client) as number, bound })),
    missing: admission.missing,
  }
}

/** Gives the order what lies above the known clock, cut where a run straddles it. Throws for what no outbox holds. */
function collectNew(block: ParsedBlock, knowledge: AdmissionKnowledge, order: DependencyOrder): void {
  const { client } = block
  const known = knowledge.clock(client)
  const last = block.structs[block.structs.length - 1] as ParsedStruct
  if (last.clock + last.length <= known) return
  if (knowledge.owner(client) === 'relay') throw new UpdateViolation(`client ${client} is the relay's`)
  for (const struct of block.structs) {
    const end = struct.clock + struct.length
    if (end <= known) continue
    judgeStruct(client, struct, knowledge)
    const straddles = struct.clock < known
    order.add({
      client,
      clock: straddles ? known : struct.clock,
      length: straddles ? end - known : struct.length,
      origin: straddles ? [client, known - 1] : struct.origin,
      rightOrigin: struct.rightOrigin,
      struct,
    })
  }
}

function judgeStruct(client: number, struct: ParsedStruct, knowledge: AdmissionKnowledge): void {
  if (struct.kind === 'skip') return
  if (struct.keyed) throw new UpdateViolation('map key on an item of an outbox')
  if (struct.root !== null && struct.root !== knowledge.outbox) {
    throw new UpdateViolation('item outside of the own outbox')
  }
  if (struct.origin) judgeNeighbour(client, struct.clock, struct.origin, knowledge)
  if (struct.rightOrigin) judgeNeighbour(client, struct.clock, struct.rightOrigin, knowledge)
}

function judgeNeighbour(
  client: number,
  clock: number,
  neighbour: ItemId,
  knowledge: AdmissionKnowledge,
): void {
  const owner = knowledge.owner(neighbour[0])
  if (owner === 'relay' || owner === 'other') throw new UpdateViolation('origin outside of the own outbox')
  if (neighbour[0] === client && neighbour[1] >= clock)
    throw new UpdateViolation('origin at or after the item itself')
}

/** Throws for ranges that no honest client can hold. True when one names items that haven't arrived. */
function judgeDeletions(update: ParsedUpdate, knowledge: AdmissionKnowledge): boolean {
  if (update.deletes.length === 0) return false
  const arriving = new Map<number, number>()
  for (const block of update.blocks) {
    const last = block.structs[block.structs.length - 1] as ParsedStruct
    arriving.set(block.client, last.clock + last.length)
  }
  let unknown = false
  for (const { client, ranges } of update.deletes) {
    const owner = knowledge.owner(client)
    if (owner === 'other') throw new UpdateViolation("deletion of somebody else's items")
    const end = (ranges[ranges.length - 2] as number) + (ranges[ranges.length - 1] as number)
    if (end <= knowledge.clock(client)) continue
    if (owner === 'relay') throw new UpdateViolation("deletion of the relay's items that don't exist")
    if (end > (arriving.get(client) ?? 0)) unknown = true
  }
  return unknown
}

/** Whether an entry stands on something that was left out for lack of room. */
function dependsOn(
  entry: NewStruct,
  stopped: ReadonlySet<number>,
  clocks: ReadonlyMap<number, number>,
  knowledge: AdmissionKnowledge,
): boolean {
  const leftOut = (id: ItemId | null): boolean =>
    id !== null && stopped.has(id[0]) && id[1] >= (clocks.get(id[0]) ?? knowledge.clock(id[0]))
  return stopped.has(entry.client) || leftOut(entry.origin) || leftOut(entry.rightOrigin)
}

/** The update's own deletions, asked per item. */
class Withdrawals {
  private readonly byClient: Map<number, number[]>

  constructor(update: ParsedUpdate) {
    this.byClient = new Map(update.deletes.map(({ client, ranges }) => [client, ranges]))
  }

  has(client: number, clock: number): boolean {
    const ranges = this.byClient.get(client)
    if (!ranges) return false
    let low = 0
    let high = ranges.length / 2 - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const start = ranges[2 * middle] as number
      if (clock < start) high = middle - 1
      else if (clock >= start + (ranges[2 * middle + 1] as number)) low = middle + 1
      else return true
    }
    return false
  }
}
