/**
 * `npm run simulate -- [first seed] [count]`: runs seeds; prints what is wrong with one that fails, and for a
 * single seed everything that happened.
 */
import { simulate } from './run.ts'

const USAGE = 'usage: npm run simulate -- [first seed] [count]'
/** Failing seeds after which a run has said enough. */
const FAILURES = 10

const [first = 1, count = 1] = process.argv.slice(2).map((argument) => {
  const number = Number(argument)
  if (!Number.isSafeInteger(number) || number < 0) {
    console.error(USAGE)
    process.exit(1)
  }
  return number
})

const started = process.cpuUsage()
const sums = { operations: 0, messages: 0, epochs: 0, lostRows: 0 }
let failed = 0
let seed = first
for (; seed < first + count && failed < FAILURES; seed++) {
  const result = await simulate(seed)
  for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += result[key]
  if (count === 1) console.log(result.trace.join('\n'))
  if (result.wrong.length === 0) continue
  failed++
  console.log(`seed ${seed}:\n${result.wrong.slice(0, 5).join('\n')}\n`)
}
const { user, system } = process.cpuUsage(started)
console.log(
  `${seed - first} seeds from ${first}: ${failed} failed; ${sums.operations} operations, ${sums.messages} messages, ` +
    `${sums.epochs} epochs, ${sums.lostRows} lost document writes; ${((user + system) / 1e6).toFixed(1)} s of CPU`,
)
process.exitCode = failed > 0 ? 1 : 0
