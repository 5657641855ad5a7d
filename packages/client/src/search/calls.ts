/** Calls between a page and its worker, both ways: each side offers an object of asynchronous methods to the other. */

/** A worker, or a worker's own global. */
export interface Port {
  postMessage(message: unknown): void
  onmessage: ((event: { data: unknown }) => void) | null
}

// biome-ignore lint/suspicious/noExplicitAny: whatever methods they offer each other
type Methods = { [name: string]: (...values: any[]) => Promise<unknown> }

type Message =
  | { call: number; method: string; values: unknown[] }
  | { answer: number; value: unknown }
  | { answer: number; failure: string }

export interface Calls<Theirs> {
  readonly theirs: Theirs
  /** What waits for an answer fails with this error, and so does each later call. */
  end(error: Error): void
}

export interface Silence {
  /** Milliseconds that a call may wait while nothing at all comes from the other side, and nothing is owed to it. */
  readonly longest: number
  broken(): void
}

/** Offers `own` to the other side, and gives what the other side offers. */
export function connect<Theirs extends object>(port: Port, own: object, silence?: Silence): Calls<Theirs> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let calls = 0
  /** Calls of the other side that are not answered yet. */
  let owed = 0
  let ended: Error | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  const listen = () => {
    clearTimeout(timer)
    if (silence && waiting.size > 0 && owed === 0 && !ended)
      timer = setTimeout(silence.broken, silence.longest)
  }
  port.onmessage = ({ data }) => {
    const message = data as Message
    if ('call' in message) {
      const { call: answer, method, values } = message
      const reply = (given: { value: unknown } | { failure: string }) => {
        owed--
        listen()
        if (!ended) port.postMessage({ answer, ...given })
      }
      owed++
      listen()
      ;(own as Methods)[method]?.(...values).then(
        (value) => reply({ value }),
        (error) => reply({ failure: String(error?.message ?? error) }),
      )
      return
    }
    const call = waiting.get(message.answer)
    waiting.delete(message.answer)
    listen()
    if ('failure' in message) call?.reject(new Error(message.failure))
    else call?.resolve(message.value)
  }
  const theirs = new Proxy({} as Theirs, {
    get:
      (_, method: string) =>
      (...values: unknown[]) =>
        // what is awaited is asked whether it is a promise
        method === 'then'
          ? undefined
          : new Promise((resolve, reject) => {
              if (ended) return reject(ended)
              waiting.set(++calls, { resolve, reject })
              if (waiting.size === 1) listen()
              port.postMessage({ call: calls, method, values })
            }),
  })
  const end = (error: Error) => {
    ended ??= error
    clearTimeout(timer)
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  return { theirs, end }
}
