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

/** Offers `own` to the other side, and gives what the other side offers. */
export function connect<Theirs extends object>(port: Port, own: object): Theirs {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let calls = 0
  port.onmessage = ({ data }) => {
    const message = data as Message
    if ('call' in message) {
      const { call: answer, method, values } = message
      ;(own as Methods)[method]?.(...values).then(
        (value) => port.postMessage({ answer, value }),
        (error) => port.postMessage({ answer, failure: String(error?.message ?? error) }),
      )
      return
    }
    const call = waiting.get(message.answer)
    waiting.delete(message.answer)
    if ('failure' in message) call?.reject(new Error(message.failure))
    else call?.resolve(message.value)
  }
  return new Proxy({} as Theirs, {
    get:
      (_, method: string) =>
      (...values: unknown[]) =>
        // what is awaited is asked whether it is a promise
        method === 'then'
          ? undefined
          : new Promise((resolve, reject) => {
              waiting.set(++calls, { resolve, reject })
              port.postMessage({ call: calls, method, values })
            }),
  })
}
