/**
 * What a small post costs the relay: CPU (user + system) per message and per delivery. Run by hand:
 *
 *     node test/bench/relay-post.ts [--runs 5] [--messages 20000] [--only memory,file,sockets]
 *
 * `memory` and `file` drive the engine alone, in this process; `sockets` drives a whole relay in a process of its own,
 * with the load made in this one. `--together` is how many posts are on their way at a time.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Figures, medianOf, type Scenario } from './figures.ts'
import { inProcess } from './in-process.ts'
import { overSockets } from './over-sockets.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    messages: { type: 'string', default: '20000' },
    together: { type: 'string', default: '64' },
    only: { type: 'string', default: 'memory,file,sockets' },
    scenario: { type: 'string', default: 'many,fifty' },
  },
})

const messages = Number(values.messages)
const together = Number(values.together)
const SCENARIOS: Record<string, Scenario> = {
  many: {
    name: '500 conversations × 2 members',
    conversations: 500,
    members: 2,
    authors: 2,
    messages,
    together,
  },
  fifty: {
    name: '1 conversation × 50 members',
    conversations: 1,
    members: 50,
    authors: 1,
    messages: messages / 4,
    together,
  },
}

async function withFile<Result>(run: (path: string) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'confab-bench-'))
  try {
    return await run(join(directory, 'relay.db'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A relay in a process of its own, for one run. */
async function withRelay(scenario: Scenario): Promise<Figures> {
  return withFile(async (path) => {
    const relay = fork(new URL('./relay-process.ts', import.meta.url), [path, JSON.stringify(scenario)])
    try {
      const [ready] = (await once(relay, 'message')) as [{ url: string; sids: string[] }]
      const cpu = async (): Promise<number> => {
        relay.send('cpu')
        const [microseconds] = (await once(relay, 'message')) as [number]
        return microseconds
      }
      return await overSockets(scenario, ready.url, ready.sids, cpu)
    } finally {
      relay.kill('SIGTERM')
      if (relay.exitCode === null) await once(relay, 'exit')
    }
  })
}

const GROUNDS: Record<string, (scenario: Scenario) => Promise<Figures>> = {
  memory: (scenario) => inProcess(scenario, ':memory:'),
  file: (scenario) => withFile((path) => inProcess(scenario, path)),
  sockets: withRelay,
}

for (const name of values.scenario.split(',')) {
  const scenario = SCENARIOS[name] as Scenario
  for (const ground of values.only.split(',')) {
    const runs: Figures[] = []
    for (let i = 0; i < Number(values.runs); i++) {
      runs.push(await (GROUNDS[ground] as (scenario: Scenario) => Promise<Figures>)(scenario))
    }
    const { cpu, deliveries, milliseconds } = medianOf(runs)
    console.log(
      `${scenario.name}, ${ground}: ${(cpu / scenario.messages).toFixed(1)} µs a message, ` +
        `${(cpu / deliveries).toFixed(2)} µs a delivery, ${Math.round(scenario.messages / (milliseconds / 1000))} messages/s ` +
        `(runs: ${runs.map((run) => (run.cpu / scenario.messages).toFixed(1)).join(' ')})`,
    )
  }
}
