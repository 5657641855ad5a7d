/**
 * `npm run simulate -- [first seed] [count] [restoring]`: runs seeds on every core; prints what is wrong with one that
 * fails, and for a single seed everything that happened. `restoring` is the share of relays, in percent, that get an
 * older copy of their disk.
 */
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type Result, simulate } from './run.ts'

const USAGE = 'usage: npm run simulate -- [first seed] [count] [restoring, in percent]'
/** Failing seeds after which a run has said enough. */
const FAILURES = 10
/** Seeds from which on starting threads pays. */
const WORTH_THREADS = 50

interface Share {
  seeds: number[]
  restoring: number
}

if (isMainThread) await main()
else {
  const { seeds, restoring } = workerData as Share
  for (const seed of seeds) parentPort?.postMessage(await simulate(seed, restoring))
}

async function main(): Promise<void> {
  const [first = 1, count = 1, percent = 15] = process.argv.slice(2).map((argument) => {
    const number = Number(argument)
    if (!Number.isSafeInteger(number) || number < 0) {
      console.error(USAGE)
      process.exit(1)
    }
    return number
  })
  const started = { cpu: process.cpuUsage(), wall: performance.now() }
  const sums = { operations: 0, messages: 0, epochs: 0, lostRows: 0 }
  let seeds = 0
  let failed = 0
  const take = (result: Result) => {
    if (failed >= FAILURES) return
    seeds++
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += result[key]
    if (count === 1) console.log(result.trace.join('\n'))
    if (result.wrong.length === 0) return
    failed++
    console.log(`seed ${result.seed}:\n${result.wrong.slice(0, 5).join('\n')}\n`)
  }

  const restoring = percent / 100
  const all = Array.from({ length: count }, (_, at) => first + at)
  if (count < WORTH_THREADS) for (const seed of all) take(await simulate(seed, restoring))
  else await inThreads(all, restoring, availableParallelism(), take, () => failed >= FAILURES)

  const { user, system } = process.cpuUsage(started.cpu)
  console.log(
    `${seeds} seeds from ${first}: ${failed} failed; ${sums.operations} operations, ${sums.messages} messages, ` +
      `${sums.epochs} epochs, ${sums.lostRows} lost document writes; ${((user + system) / 1e6).toFixed(1)} s of CPU, ` +
      `${((performance.now() - started.wall) / 1000).toFixed(1)} s`,
  )
  process.exitCode = failed > 0 || seeds < count ? 1 : 0
}

/** Each thread has a share of the seeds; one that dies fails the run. */
async function inThreads(
  seeds: number[],
  restoring: number,
  threads: number,
  take: (result: Result) => void,
  enough: () => boolean,
) {
  await Promise.all(
    Array.from({ length: threads }, (_, thread) => {
      const share: Share = { seeds: seeds.filter((_seed, at) => at % threads === thread), restoring }
      const worker = new Worker(new URL(import.meta.url), { workerData: share })
      return new Promise<void>((resolve, reject) => {
        worker.on('message', (result: Result) => {
          take(result)
          if (enough()) void worker.terminate()
        })
        worker.on('error', reject)
        worker.on('exit', () => resolve())
      })
    }),
  )
}
