/**
 * A value that changes by itself, as React wants to read it: the same object until something changed. It listens only
 * while somebody watches, and starts afresh when somebody watches again.
 */
import { useSyncExternalStore } from 'react'

export abstract class Source<Value> {
  #value: Value
  readonly #watchers = new Set<() => void>()
  #detach: (() => void) | null = null

  constructor(initial: Value) {
    this.#value = initial
  }

  /** Begins to listen, and gives what ends that. */
  protected abstract attach(): () => void

  get value(): Value {
    return this.#value
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0
  }

  protected set(value: Value): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const watcher of [...this.#watchers]) watcher()
  }

  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher)
    this.#detach ??= this.attach()
    return () => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size > 0) return
      this.#detach?.()
      this.#detach = null
    }
  }

  readonly read = (): Value => this.#value
}

/** What the source says, again whenever it changes. Nothing to watch gives what `absent` is. */
export function useSource<Value>(source: Source<Value> | null, absent: Value): Value {
  return useSyncExternalStore(
    source?.watch ?? watchNothing,
    source ? source.read : () => absent,
    source ? source.read : () => absent,
  )
}

const watchNothing = () => () => {}

/** The source of this thing, the same for everybody who asks. */
export function cached<Thing extends object, Kept>(make: (thing: Thing) => Kept): (thing: Thing) => Kept {
  const kept = new WeakMap<Thing, Kept>()
  return (thing) => {
    let found = kept.get(thing)
    if (found === undefined) {
      found = make(thing)
      kept.set(thing, found)
    }
    return found
  }
}

/** Something that emits events, by its `on` and `off`. */
interface Emitter {
  on(event: never, listener: never): unknown
  off(event: never, listener: never): unknown
}

type Listeners = { readonly [event: string]: (argument: never) => void }

/** Listens to all of these; gives what ends that. */
export function listen(emitter: Emitter, listeners: Listeners): () => void {
  for (const [event, listener] of Object.entries(listeners)) emitter.on(event as never, listener as never)
  return () => {
    for (const [event, listener] of Object.entries(listeners)) emitter.off(event as never, listener as never)
  }
}
