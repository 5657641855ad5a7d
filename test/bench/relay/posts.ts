/** What a small post costs a whole relay, and how long it takes to arrive. */
import { rowsOf, type Scenario } from '../scenario.ts'
import { group, PAIRS, withRelay } from './grounds.ts'

export const name = 'posts'
export const title = 'Posts through a relay'
export const how =
  'A whole relay on a SQLite file, in a process of its own, every option as it comes but the limits (history is sealed in the background, too); one WebSocket per member; the load is made in another process, each on a core of its own where `taskset` is. 64 posts are on their way at a time, so this is saturation and the times are those of a queue. A third of the posts goes ahead unmeasured. A post has arrived when the member who joined last has it, and it is on disk by then; a run ends when all members have all.'

const loads = [PAIRS, group(50, 5000), group(200, 2000)]

export const run: Scenario['run'] = async (runs) => {
  const rows = []
  for (const load of loads) {
    const names = {
      message: [`${load.name}: CPU of the relay, a message`, 'µs'],
      delivery: ['… a delivery', 'µs'],
      p50: ['… a post arrives, p50', 'ms'],
      p99: ['… a post arrives, p99', 'ms'],
      rate: ['… messages', 'a second'],
    } satisfies Parameters<typeof rowsOf>[1]
    rows.push(
      ...(await rowsOf(runs, names as Record<keyof typeof names, [string, string]>, async () => {
        const { cpu, milliseconds, latencies } = await withRelay(load)
        const at = (part: number) => latencies[Math.floor(latencies.length * part)] as number
        return {
          message: cpu / load.messages,
          delivery: cpu / load.messages / load.members,
          p50: at(0.5),
          p99: at(0.99),
          rate: load.messages / (milliseconds / 1000),
        }
      })),
    )
  }
  return rows
}
