/**
 * Updates made by their grammar rather than byte by byte: blocks, items, origins and deletions that mean something in
 * a given document, most of them allowed. A plan can be written larger than it is, to see what size costs.
 */
import {
  all,
  any,
  type Bytes,
  block,
  type Id,
  item,
  raw,
  uint,
  update,
} from '../../packages/core/test/update-bytes.ts'
import { type Choices, someText, someValue } from './choices.ts'
import type { Stage } from './stage.ts'

interface PlannedStruct {
  kind: 'any' | 'deleted' | 'skip' | 'other'
  length: number
  values: unknown[]
  /** Back from its own clock, or an id. */
  origin: { back: number } | Id | null
  right: { back: number } | Id | null
  root: string
  key: string | undefined
  ref: number
}

interface PlannedBlock {
  client: number
  clock: number
  structs: PlannedStruct[]
}

export interface Plan {
  blocks: PlannedBlock[]
  deletes: [client: number, ...ranges: number[]][]
  /** Larger means more clients, and not more structs of each. */
  isWide: boolean
}

export function planOf(choices: Choices, stage: Stage): Plan {
  const plan: Plan = { blocks: [], deletes: [], isWide: choices.int(2) === 1 }
  const used = new Map<number, number>()
  for (let i = 1 + choices.int(4); i > 0; i--) {
    // mostly the uploader's own and unused ids, which come first
    const client = stage.clients[choices.int(choices.once(5) ? stage.clients.length : 5)] as number
    if (used.has(client) && !choices.once(30)) continue
    const known = stage.knowledge.clock(client)
    const clock = choices.once(6) ? choices.int(known + 3) : known
    const structs: PlannedStruct[] = []
    let end = clock
    for (let left = 1 + choices.int(5); left > 0; left--) {
      const struct = structOf(choices, stage, client, end, used)
      structs.push(struct)
      end += struct.length
    }
    used.set(client, end)
    plan.blocks.push({ client, clock, structs })
  }
  for (let left = choices.int(4); left > 0; left--) {
    const [client, end] = choices.once(4)
      ? [choices.pick(stage.clients), 4]
      : (choices.pick([...used]) ?? [0, 1])
    if (plan.deletes.some(([one]) => one === client) && !choices.once(30)) continue
    const ranges: number[] = []
    for (let more = 1 + choices.int(3); more > 0; more--) {
      ranges.push(choices.int(end + (choices.once(6) ? 4 : 1)), 1 + choices.int(3))
    }
    plan.deletes.push([client, ...ranges])
  }
  return plan
}

function structOf(
  choices: Choices,
  { aim, clients, knowledge }: Stage,
  client: number,
  clock: number,
  used: ReadonlyMap<number, number>,
): PlannedStruct {
  const kind = choices.once(40) ? 'other' : choices.once(12) ? 'skip' : choices.once(3) ? 'deleted' : 'any'
  const length = choices.once(50) ? 0 : 1 + choices.int(4)
  const neighbour = (): PlannedStruct['origin'] => {
    switch (choices.int(5)) {
      case 0:
        return clock > 0 ? { back: 1 } : null
      case 1:
        return null
      case 2: {
        const other = choices.pick([...used.keys(), ...clients.slice(0, 5)])
        const end = Math.max(used.get(other) ?? 0, knowledge.clock(other))
        return end > 0 ? [other, choices.int(end + (choices.once(10) ? 2 : 0))] : null
      }
      case 3:
        return clock > 0 ? [client, choices.int(clock + (choices.once(10) ? 2 : 0))] : null
      default:
        return choices.once(8) ? [choices.pick(clients), choices.int(6)] : null
    }
  }
  return {
    kind,
    length,
    values: kind === 'any' ? Array.from({ length }, () => elementOf(choices)) : [],
    origin: neighbour(),
    right: choices.once(3) ? neighbour() : null,
    root: choices.once(25) ? choices.pick([aim.victim.outbox, 'messages', 'secrets', '']) : aim.outbox,
    key: choices.once(30) ? someText(choices) : undefined,
    ref: choices.int(32),
  }
}

const elementOf = (choices: Choices): unknown =>
  choices.int(2) === 0 ? { id: choices.int(1000) } : someValue(choices, 3, true)

/** Its bytes, at so many times its size. */
export function bytesOfPlan(plan: Plan, times = 1): Uint8Array {
  const blocks: Bytes[] = []
  const deletes = new Map<number, number[]>()
  for (const { client, clock, structs } of plan.blocks) {
    for (let copy = 0; copy < (plan.isWide ? times : 1); copy++) {
      let at = clock
      const written: Bytes[] = []
      for (let i = 0; i < (plan.isWide ? 1 : times); i++) {
        for (const struct of structs) {
          written.push(bytesOfStruct(struct, client + copy, at))
          at += struct.length
        }
      }
      blocks.push(block((client + copy) % 2 ** 32, clock, ...written))
    }
  }
  for (const [client, ...ranges] of plan.deletes) {
    for (let i = 0; i < times; i++) {
      const one = plan.isWide ? (client + i) % 2 ** 32 : client
      const there = deletes.get(one) ?? []
      // far enough apart not to touch
      for (let at = 0; at < ranges.length; at += 2)
        there.push((ranges[at] as number) + (plan.isWide ? 0 : 9 * i), ranges[at + 1] as number)
      deletes.set(one, there)
    }
  }
  // as planned, the same client twice may be among them
  const ranges = times === 1 ? plan.deletes : [...deletes].map(([client, all]) => [client, ...all] as const)
  return update(blocks, ranges as Plan['deletes'])
}

function bytesOfStruct(struct: PlannedStruct, client: number, clock: number): Bytes {
  const { kind, length, values, key, root, ref } = struct
  if (kind === 'skip') return all(raw(10), uint(length))
  const idOf = (one: PlannedStruct['origin']): Id | undefined =>
    one === null
      ? undefined
      : 'back' in one
        ? clock >= one.back
          ? [client, clock - one.back]
          : undefined
        : one
  const origin = idOf(struct.origin)
  const right = idOf(struct.right)
  const place = origin || right ? { origin, right, keyed: key !== undefined } : { root, key }
  const options = Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined))
  if (kind === 'any') return item(any(...values), options)
  return item(uint(length), { ...options, ref: kind === 'deleted' ? 1 : ref })
}
