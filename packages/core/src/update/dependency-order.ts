/**
 * The order in which new structs can be taken: each after the one before it of the same client, after its origin and
 * after its right origin. Blocks may depend on each other both ways. Each struct is looked at a bounded number of
 * times, whatever the update looks like: one that waits hangs on the struct it waits for.
 */
import { type ItemId, type ParsedStruct, UpdateViolation } from './types.ts'

/** A struct, or the part of it, that is above the known clock. */
export interface NewStruct {
  client: number
  clock: number
  length: number
  origin: ItemId | null
  rightOrigin: ItemId | null
  struct: ParsedStruct
}

interface Queue {
  client: number
  structs: NewStruct[]
  /** Index of the first one not taken. */
  next: number
  /** Clock up to which items are known or taken. */
  have: number
  /** Nothing more of this client can be taken. */
  dropped: boolean
  /** Clients that wait, by the index of the struct here that they wait for. */
  waiting: Map<number, Queue[]>
}

type Dependency = 'met' | 'missing' | { queue: Queue; index: number }

export class DependencyOrder {
  private readonly known: (client: number) => number
  private readonly queues = new Map<number, Queue>()

  /** @param known Clock up to which items of a client are here already. */
  constructor(known: (client: number) => number) {
    this.known = known
  }

  /** Structs of one client come in the order of their clocks. */
  add(struct: NewStruct): void {
    let queue = this.queues.get(struct.client)
    if (!queue) {
      queue = {
        client: struct.client,
        structs: [],
        next: 0,
        have: this.known(struct.client),
        dropped: false,
        waiting: new Map(),
      }
      this.queues.set(struct.client, queue)
    }
    queue.structs.push(struct)
  }

  /**
   * All that can be taken, in order. `missing`: some part depends on something that isn't here, and was left out.
   * Throws `UpdateViolation` when structs wait for each other in a circle.
   */
  resolve(): { taken: NewStruct[]; missing: boolean } {
    const taken: NewStruct[] = []
    let missing = false
    const ready = [...this.queues.values()].reverse()
    for (let queue = ready.pop(); queue; queue = ready.pop()) {
      const woken = this.advance(queue, taken)
      // pushed in reverse, so that the first to wait is the first to go on
      for (let i = woken.length - 1; i >= 0; i--) ready.push(woken[i] as Queue)
      if (queue.dropped) missing = true
    }
    for (const queue of this.queues.values()) {
      if (!queue.dropped && queue.next < queue.structs.length)
        throw new UpdateViolation('origins in a circle')
    }
    return { taken, missing }
  }

  /** Takes what it can of one client; returns the clients that can go on (or must drop) because of it. */
  private advance(queue: Queue, taken: NewStruct[]): Queue[] {
    const woken: Queue[] = []
    while (!queue.dropped && queue.next < queue.structs.length) {
      const struct = queue.structs[queue.next] as NewStruct
      const dependency = this.dependencyOf(queue, struct)
      if (dependency === 'missing') {
        queue.dropped = true
      } else if (dependency === 'met') {
        taken.push(struct)
        queue.have = struct.clock + struct.length
        const waiting = queue.waiting.get(queue.next)
        if (waiting) woken.push(...waiting)
        queue.waiting.delete(queue.next)
        queue.next += 1
      } else {
        const { queue: other, index } = dependency
        const waiting = other.waiting.get(index)
        if (waiting) waiting.push(queue)
        else other.waiting.set(index, [queue])
        return woken
      }
    }
    if (queue.dropped) {
      // whoever waits finds out that it waits in vain
      for (const waiting of queue.waiting.values()) woken.push(...waiting)
      queue.waiting.clear()
    }
    return woken
  }

  private dependencyOf(queue: Queue, struct: NewStruct): Dependency {
    if (struct.struct.kind === 'skip' || struct.clock > queue.have) return 'missing'
    const left = this.find(struct.origin)
    return left === 'met' ? this.find(struct.rightOrigin) : left
  }

  private find(id: ItemId | null): Dependency {
    if (id === null) return 'met'
    const [client, clock] = id
    const queue = this.queues.get(client)
    if (!queue) return clock < this.known(client) ? 'met' : 'missing'
    if (clock < queue.have) return 'met'
    if (queue.dropped) return 'missing'
    const index = indexOf(queue.structs, clock, queue.next)
    return index === -1 ? 'missing' : { queue, index }
  }
}

/** Index of the struct that holds the clock, from index `low` on; −1 when none does. */
function indexOf(structs: readonly NewStruct[], clock: number, from: number): number {
  let low = from
  let high = structs.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const struct = structs[middle] as NewStruct
    if (clock < struct.clock) high = middle - 1
    else if (clock >= struct.clock + struct.length) low = middle + 1
    else return middle
  }
  return -1
}
