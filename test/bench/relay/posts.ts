/** What a small post costs a whole relay, and how long it takes to arrive. */
import type { Scenario } from '../scenario.ts'
import { compared } from './compared.ts'
import { group, PAIRS } from './grounds.ts'
import type { Load } from './load.ts'
import { overSockets } from './over-sockets.ts'
import { withFolder, withServer } from './process.ts'
import type { Target } from './targets.ts'

export const name = 'posts'
export const title = 'Posts through a relay'
export const hasPeers = true
export const how =
  'A whole relay on a SQLite file, in a process of its own, every option as it comes but the limits (history is sealed in the background, too); one WebSocket per member; the load is made in another process, each on a core of its own where `taskset` is. First at saturation: 1,000 posts are on their way at a time where all of 1,000 people post, 256 where one does, so the times are those of a queue. Then at 500 posts a second, whatever becomes of them, which is where the times say what people meet. A third of the posts goes ahead unmeasured. A post has arrived when the member who joined last has it; with Confab it is on disk by then. A run ends when all members have all, each once.'

const RATE = 500
const loads: readonly Load[] = [
  PAIRS,
  group(50, 8000),
  group(200, 4000),
  { ...group(50, 2000), name: `1 conversation × 50 members, ${RATE} posts a second`, rate: RATE },
]

/** One run of a load on a server with an empty store. */
export const measured = (target: Target, load: Load) =>
  withFolder((folder) =>
    withServer(target, { folder, make: load }, async (server) => {
      const { cpu, milliseconds, latencies } = await overSockets(target, server, load)
      const at = (part: number) => latencies[Math.floor(latencies.length * part)] as number
      return {
        message: cpu / load.messages,
        delivery: cpu / load.messages / load.members,
        p50: at(0.5),
        p99: at(0.99),
        rate: load.messages / (milliseconds / 1000),
      }
    }),
  )

export const run: Scenario['run'] = async (runs, options) => {
  const rows = []
  for (const load of loads) {
    const names = {
      message: ['CPU a message', 'µs'],
      delivery: ['CPU a delivery', 'µs'],
      p50: ['a post arrives, p50', 'ms'],
      p99: ['a post arrives, p99', 'ms'],
      rate: ['messages', 'a second'],
    } satisfies Parameters<typeof compared>[3]
    rows.push(
      ...(await compared(
        runs,
        options,
        load.name,
        names as Record<keyof typeof names, [string, string]>,
        (target) => measured(target, load),
      )),
    )
  }
  return rows
}
