/** A thousand quiet conversations resumed by a device that holds them. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { memory } from '../../../packages/client/src/storage/memory.ts'
import { native } from '../../../packages/client/src/transport/native.ts'
import type { TransportFactory } from '../../../packages/client/src/transport/transport.ts'
import { engineFor } from '../../../packages/client/test/engine/harness.ts'
import { tokenFor } from '../../support/relay.ts'
import { rowsOf, type Scenario } from '../scenario.ts'
import { takeIn } from './device.ts'
import { READER } from './stage.ts'

export const name = 'resume'
export const title = 'Resuming 1,000 quiet conversations'
export const how =
  "A device in Node that holds 1,000 conversations of 20 messages in memory() starts anew and asks a relay (in a process of its own) for what it missed, which is nothing. Each run is a new device over the same store; the first of them is not counted. That it is one round trip that opens no document is a test's to say (`test/bench/client/quiet.test.ts`)."

const amount = { conversations: 1000, messages: 20 }

export const run: Scenario['run'] = async (runs) => {
  const relay = fork(new URL('./relay-process.ts', import.meta.url), [JSON.stringify(amount)])
  try {
    const [url] = (await once(relay, 'message')) as [string]
    const cpu = async (): Promise<number> => {
      relay.send('cpu')
      const [microseconds] = (await once(relay, 'message')) as [number]
      return microseconds / 1000
    }
    const token = await tokenFor(READER)
    const storage = memory()
    await (await takeIn({ url, token }, storage, amount)).shutdown()
    const resume = async () => {
      const before = await cpu()
      const began = performance.now()
      const { transport, allCurrent } = watched()
      const engine = engineFor(READER, storage, { url, token: async () => token, transport })
      await allCurrent
      const time = performance.now() - began
      const spent = (await cpu()) - before
      await engine.shutdown()
      return { time, spent }
    }
    await resume()
    return await rowsOf(
      runs,
      {
        time: ['from the start of the device until all are current', 'ms'],
        spent: ['CPU of the relay', 'ms'],
      },
      resume,
    )
  } finally {
    relay.kill('SIGTERM')
    if (relay.exitCode === null) await once(relay, 'exit')
  }
}

/** The native transport, which also tells when all that it was asked for is current. */
export function watched(): { transport: TransportFactory; allCurrent: Promise<void> } {
  let finish = () => {}
  const allCurrent = new Promise<void>((resolve) => (finish = resolve))
  const awaited = new Set<string>()
  const transport: TransportFactory = (options) => {
    const made = native()(options)
    const { open, start } = made
    made.open = (requests) => {
      for (const { document } of requests) awaited.add(document)
      open.call(made, requests)
    }
    made.start = (events) => {
      const current = (document: string) => {
        events.current(document)
        awaited.delete(document)
        if (awaited.size === 0) finish()
      }
      start.call(made, { ...events, current })
    }
    return made
  }
  return { transport, allCurrent }
}
