/** A relay in a process of its own, for tests that kill or measure it. Options come as JSON in the first argument. */
import { flushCompileCache } from 'node:module'
import { createRelay, type Log } from '@confab/relay'
import { serveControl } from '../../server/src/cli/control.ts'
import { relayOptions } from './relay.ts'

export type Answer = { type: 'ready'; url: string } | { type: 'usage'; usage: Usage }

export interface Usage {
  /** Microseconds of CPU when it was asked, and when it answered: measuring costs some, too. */
  cpu: { asked: number; answered: number }
  /** Bytes of JavaScript and of buffers that are in use, after a collection of garbage. */
  memory: number
  /** The most bytes that the process ever had in memory. */
  peak: number
}

// whoever asked may be gone
const say = (answer: Answer) => process.send?.(answer, undefined, undefined, () => {})

const logger: Log = {
  debug() {},
  info() {},
  // hostile peers are what it is for
  warn() {},
  error: (details, message) => console.error(message, details),
}
const options = relayOptions({ logger, ...JSON.parse(process.argv[2] ?? '{}') })
const relay = await createRelay(options)
if (options.database !== ':memory:') await serveControl(options.database, relay)

const cpu = () => {
  const { user, system } = process.cpuUsage()
  return user + system
}

process.on('message', async (question) => {
  if (question !== 'usage') return
  const asked = cpu()
  // what buffers stand for is given back a turn after they were found to be garbage
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((next) => setImmediate(next))
  }
  const { heapUsed, external } = process.memoryUsage()
  const peak = process.resourceUsage().maxRSS * 1024
  say({ type: 'usage', usage: { cpu: { asked, answered: cpu() }, memory: heapUsed + external, peak } })
})
// nobody is left to measure it
process.on('disconnect', () => process.exit(0))
say({ type: 'ready', url: relay.url })
// whoever is killed writes no cache at its end
flushCompileCache()
