/** What a load runs on: the engine alone on a store, or a whole relay in a process of its own. */
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Load } from './load.ts'
import { overSockets } from './over-sockets.ts'

/** 500 conversations of two, of whom both write. */
export const PAIRS: Load = {
  name: '500 conversations × 2 members',
  conversations: 500,
  members: 2,
  authors: 2,
  messages: 20_000,
  together: 64,
}

/** One conversation, of whose members one writes. */
export const group = (members: number, messages: number): Load => ({
  name: `1 conversation × ${members} members`,
  conversations: 1,
  members,
  authors: 1,
  messages,
  together: 64,
})

/** A database file for as long as the run takes. */
export async function withFile<Result>(run: (path: string) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'confab-bench-'))
  try {
    return await run(join(directory, 'relay.db'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A relay on a file, in a process and where possible on a core of its own; the load is made in this process. */
export function withRelay(load: Load): ReturnType<typeof overSockets> {
  return withFile(async (path) => {
    const relay = fork(new URL('./relay-process.ts', import.meta.url), [path, JSON.stringify(load)], pinned())
    try {
      const [ready] = (await once(relay, 'message')) as [{ url: string; sids: string[] }]
      const cpu = async (): Promise<number> => {
        relay.send('cpu')
        const [microseconds] = (await once(relay, 'message')) as [number]
        return microseconds
      }
      return await overSockets(load, ready.url, ready.sids, cpu)
    } finally {
      relay.kill('SIGTERM')
      if (relay.exitCode === null) await once(relay, 'exit')
    }
  })
}

/** Where there is `taskset`: the relay on the last core, and this process on the others. */
function pinned(): { execPath?: string; execArgv: string[] } {
  const last = cpus().length - 1
  const others = spawnSync('taskset', ['-apc', `0-${last - 1}`, String(process.pid)])
  if (last < 1 || others.status !== 0) return { execArgv: [] }
  return { execPath: 'taskset', execArgv: ['-c', String(last), process.execPath] }
}
