/** Runs relays as child processes. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { RelayOptions } from '@confab/relay'
import type { Answer, Usage } from './relay-child.ts'

export interface RelayProcess {
  readonly url: string
  readonly port: number
  /** What it has used so far, told by itself. */
  usage(): Promise<Usage>
  /** SIGKILL: no code of its own runs any more. Resolves when it is gone. */
  kill(): Promise<void>
}

const COMPILED = join(import.meta.dirname, '../../node_modules/.cache/confab/compiled')

/** Resolves when it listens. Only options that are JSON. */
export async function runRelay(options: Partial<RelayOptions>): Promise<RelayProcess> {
  return relayIn(forkRelay(join(import.meta.dirname, 'relay-child.ts'), [JSON.stringify(options)]))
}

/** Starts a program that runs `relay-child.ts`; what it compiles is kept for the next one. */
export function forkRelay(
  program: string,
  args: readonly string[],
  errors: 'inherit' | 'pipe' = 'inherit',
): ChildProcess {
  return fork(program, args, {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', errors, 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
  })
}

/** The relay that a child runs by `relay-child.ts`, when it listens. */
export async function relayIn(child: ChildProcess): Promise<RelayProcess> {
  const { url } = await answer(child, 'ready')
  return {
    url,
    port: Number(new URL(url).port),
    async usage() {
      const told = answer(child, 'usage')
      child.send('usage')
      return (await told).usage
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

function answer<Type extends Answer['type']>(
  child: ChildProcess,
  type: Type,
): Promise<Extract<Answer, { type: Type }>> {
  return new Promise((resolve, reject) => {
    const done = () => {
      child.off('message', take)
      child.off('exit', gone)
    }
    const take = (message: unknown) => {
      if ((message as Answer).type !== type) return
      done()
      resolve(message as Extract<Answer, { type: Type }>)
    }
    const gone = (code: number | null, signal: string | null) => {
      done()
      reject(new Error(`the relay ended (${code ?? signal}) before it said ${type}`))
    }
    child.on('message', take)
    child.on('exit', gone)
  })
}
