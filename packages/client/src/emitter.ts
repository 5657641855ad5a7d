/** The emitter of every object of the surface: Node's method names, typed events, replay. */

/** Events by name, with the listener that each takes. */
// biome-ignore lint/suspicious/noExplicitAny: the arguments of any event; `unknown` would refuse every typed listener
export type EventMap = { [event: string]: (...args: any[]) => void }

type NameOf<Events> = Extract<keyof Events, string>
type AnyListener = (...args: unknown[]) => void
interface Registration {
  listener: AnyListener
  once: boolean
}

/**
 * Calls its listeners in the order in which they came. One that throws doesn't keep the others from being called:
 * its error is thrown again in a microtask of its own, where the platform reports it.
 */
export class ReplayEventEmitter<Events extends EventMap> {
  readonly #listeners = new Map<string, Registration[]>()
  /** The newest arguments of each event, made when first needed. */
  readonly #history = new Map<string, () => unknown[]>()

  /** Calls `listener` at each `event` from now on. */
  on<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.#add(event, listener as AnyListener, false)
  }

  /** Calls `listener` at the next `event` only. */
  once<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.#add(event, listener as AnyListener, true)
  }

  /** Takes away the newest registration of `listener`; does nothing when there is none. */
  off<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    const registered = this.#listeners.get(event)
    const at = registered?.findLastIndex((one) => one.listener === (listener as AnyListener)) ?? -1
    if (registered && at >= 0) this.#replace(event, registered.toSpliced(at, 1))
    return this
  }

  /** The same as `on`. */
  addListener<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.on(event, listener)
  }

  /** The same as `off`. */
  removeListener<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.off(event, listener)
  }

  /** Takes away every listener of `event`, or of all events. Only the app's: the SDK itself listens elsewhere. */
  removeAllListeners(event?: NameOf<Events>): this {
    if (event === undefined) for (const name of [...this.#listeners.keys()]) this.#replace(name, [])
    else this.#replace(event, [])
    return this
  }

  /** Calls `listener` at once with the newest `event`, if there was one, and at each one from now on. */
  onWithReplay<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    this.#replay(event, listener as AnyListener)
    return this.on(event, listener)
  }

  /** Calls `listener` once: at once with the newest `event` if there was one, otherwise at the next. */
  onceWithReplay<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.#replay(event, listener as AnyListener) ? this : this.once(event, listener)
  }

  /** The same as `onWithReplay`. */
  addListenerWithReplay<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.onWithReplay(event, listener)
  }

  /** Calls the listeners of `event`. True when there was one. */
  emit<E extends NameOf<Events>>(event: E, ...args: Parameters<Events[E]>): boolean {
    return this.emitLazily(event, () => args)
  }

  /**
   * Emits arguments that are made only if somebody listens, now or by replay.
   * @internal
   */
  emitLazily<E extends NameOf<Events>>(event: E, make: () => Parameters<Events[E]>): boolean {
    let made: unknown[] | undefined
    const args = () => {
      made ??= make()
      return made
    }
    this.#history.set(event, args)
    const registered = this.#listeners.get(event)
    if (!registered) return false
    // a copy: a listener may add and remove listeners
    for (const { listener, once } of [...registered]) {
      if (once) this.off(event, listener as Events[E])
      this.#call(listener, args())
    }
    return true
  }

  /** How many listeners `event` has. */
  listenerCount(event: NameOf<Events>): number {
    return this.#listeners.get(event)?.length ?? 0
  }

  /** The listeners of `event`, in the order in which they are called. */
  listeners<E extends NameOf<Events>>(event: E): Events[E][] {
    return (this.#listeners.get(event) ?? []).map((one) => one.listener as Events[E])
  }

  /** The events that have listeners. */
  eventNames(): NameOf<Events>[] {
    return [...this.#listeners.keys()] as NameOf<Events>[]
  }

  /** The same as `listeners`: what `once` added is not wrapped, as it is in Node. */
  rawListeners<E extends NameOf<Events>>(event: E): Events[E][] {
    return this.listeners(event)
  }

  /** The same as `on`, before all the others. */
  prependListener<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.#add(event, listener as AnyListener, false, true)
  }

  /** The same as `once`, before all the others. */
  prependOnceListener<E extends NameOf<Events>>(event: E, listener: Events[E]): this {
    return this.#add(event, listener as AnyListener, true, true)
  }

  /** No limit. */
  getMaxListeners(): number {
    return Number.POSITIVE_INFINITY
  }

  /** Taken for Node's sake: there is no limit here, so nothing to set. */
  setMaxListeners(_count: number): this {
    return this
  }

  /** Called when the first listener came (`true`) or the last one went. @internal */
  protected listenedTo(_listened: boolean): void {}

  #add(event: string, listener: AnyListener, once: boolean, first = false): this {
    const others = this.#listeners.get(event) ?? []
    this.#replace(event, first ? [{ listener, once }, ...others] : [...others, { listener, once }])
    return this
  }

  #replace(event: string, registered: Registration[]): void {
    const before = this.#listeners.size
    if (registered.length === 0) this.#listeners.delete(event)
    else this.#listeners.set(event, registered)
    const after = this.#listeners.size
    if ((before === 0) !== (after === 0)) this.listenedTo(after > 0)
  }

  #replay(event: string, listener: AnyListener): boolean {
    const args = this.#history.get(event)
    if (args) this.#call(listener, args())
    return args !== undefined
  }

  #call(listener: AnyListener, args: unknown[]): void {
    try {
      listener.apply(this, args)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
