/** A server in a process of its own, and where possible on a core of its own; the load is made in this process. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { compiled } from './compiled.ts'
import type { Task, Usage } from './servers/serve.ts'
import type { Target } from './targets.ts'

export class ServerProcess {
  readonly url: string
  readonly documents: string[]
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, url: string, documents: string[]) {
    this.#child = child
    this.url = url
    this.documents = documents
  }

  static async start(target: Pick<Target, 'name' | 'server'>, task: Task): Promise<ServerProcess> {
    const child = fork(await compiled(target.server), [JSON.stringify(task)], {
      ...pinned(),
      // what some of them say of themselves is of no use here
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const [ready] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`${target.name} ended with ${code} before it served`)
      }),
    ])) as [{ url: string; documents: string[] }]
    return new ServerProcess(child, ready.url, ready.documents)
  }

  /** @param collect after a collection of its garbage */
  async usage(collect = false): Promise<Usage> {
    const answer = once(this.#child, 'message')
    this.#child.send({ collect })
    const [usage] = (await answer) as [Usage]
    return usage
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal)
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}

/** A folder for as long as the run takes. */
export async function withFolder<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'confab-bench-'))
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A server for as long as the run takes. */
export async function withServer<Result>(
  target: Pick<Target, 'name' | 'server'>,
  task: Task,
  run: (server: ServerProcess) => Promise<Result>,
): Promise<Result> {
  const server = await ServerProcess.start(target, task)
  try {
    return await run(server)
  } finally {
    await server.end()
  }
}

const profiling = (process.env.BENCH_PROFILE ?? '').split(' ').filter((option) => option !== '')

/** Where there is `taskset`: the server on the last core, and this process on the others. */
function pinned(): { execPath?: string; execArgv: string[] } {
  const last = cpus().length - 1
  const execArgv = ['--expose-gc', ...profiling]
  const others = spawnSync('taskset', ['-apc', `0-${last - 1}`, String(process.pid)])
  if (last < 1 || others.status !== 0) return { execArgv }
  return { execPath: 'taskset', execArgv: ['-c', String(last), process.execPath, ...execArgv] }
}
