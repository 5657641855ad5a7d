/**
 * `npm run fuzz`: makes up inputs and throws them at what decodes, judges and decides what strangers send. What fails
 * is made small, printed with the command that repeats it, and kept in the corpus.
 */
import { parseArgs } from 'node:util'
import { addToCorpus } from './corpus.ts'
import { Coverage } from './coverage.ts'

// before anything that it is to count in is loaded
const coverage = new Coverage()
const { disproportion } = await import('./cost.ts')
const { Fuzzer } = await import('./fuzzer.ts')
const { failureOf, shrink } = await import('./shrink.ts')
const { fromHex, toHex } = await import('./target.ts')
const { TARGETS } = await import('./targets.ts')
type Target = (typeof TARGETS)[number]
type Fuzzer = InstanceType<typeof Fuzzer>

const USAGE = `usage: npm run fuzz -- [target] [options]

  --seed N       where to begin; another one each time when left out
  --minutes M    how long to go on; until Ctrl-C when neither is given
  --runs N       how many inputs for each target
  --input HEX    one input and nothing else: repeats a failure
  --keep         adds inputs that reached something new to the corpus
  --help

targets:
${TARGETS.map(({ name, about }) => `  ${name.padEnd(13)}${about}`).join('\n')}`

/** Milliseconds that a target has before the next one's turn. */
const TURN = 5000
/** Bytes of an input that a command line takes; a longer one is repeated out of the corpus. */
const LINE = 4000

const options = read()
process.exitCode = options.input === undefined ? await fuzz() : await repeat(fromHex(options.input))
await Promise.all(TARGETS.map((target) => target.close?.()))
coverage.stop()

function read() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string' },
        runs: { type: 'string' },
        input: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log(USAGE)
      process.exit(0)
    }
    const targets = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
    if (targets.length < positionals.length) throw new Error(`no such target: ${positionals.join(' ')}`)
    if (values.input !== undefined && targets.length !== 1) throw new Error('--input needs one target')
    return {
      targets,
      seed: numberOf(values.seed) ?? Math.floor(Math.random() * 2 ** 31),
      minutes: numberOf(values.minutes) ?? Number.POSITIVE_INFINITY,
      runs: numberOf(values.runs) ?? Number.POSITIVE_INFINITY,
      input: values.input,
      keep: values.keep,
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!(number >= 0)) throw new Error(`not a number: ${text}`)
  return number
}

async function fuzz(): Promise<number> {
  const { targets, seed, minutes, runs, keep } = options
  console.log(`seed ${seed}`)
  let isStopped = false
  process.once('SIGINT', () => {
    isStopped = true
  })
  const until = performance.now() + minutes * 60_000
  const isOver = () => isStopped || performance.now() >= until
  const fuzzers = targets.map((target) => new Fuzzer(target, seed, coverage))
  const failures = new Map<string, number>()
  const goesOn = (fuzzer: Fuzzer) => fuzzer.runs < runs
  while (!isOver() && fuzzers.some(goesOn)) {
    for (const fuzzer of fuzzers.filter(goesOn)) {
      await turn(fuzzer, failures, () => isOver() || !goesOn(fuzzer))
      if (isOver()) break
    }
  }
  console.log('')
  for (const fuzzer of fuzzers) {
    expectProportion(fuzzer, failures)
    console.log(progress(fuzzer))
    if (!keep) continue
    for (const input of await fuzzer.covering(coverage))
      addToCorpus(fuzzer.target.name, input, 'reaches what shorter ones do not')
  }
  for (const [kind, count] of failures) console.log(`failed ${count} times: ${kind}`)
  console.log(failures.size === 0 ? 'nothing failed' : `${failures.size} kinds of failure`)
  return failures.size === 0 ? 0 : 1
}

async function turn(fuzzer: Fuzzer, failures: Map<string, number>, isOver: () => boolean): Promise<void> {
  const { target } = fuzzer
  const until = performance.now() + TURN
  let told = performance.now()
  for (let run = 0; !isOver() && performance.now() < until; run++) {
    const failure = await fuzzer.step()
    if (failure) {
      const key = `${target.name}: ${failure.kind}`
      failures.set(key, (failures.get(key) ?? 0) + 1)
      if (failures.get(key) === 1) await tell(target, failure.input, failure.kind)
    }
    // Ctrl-C is heard between two turns of the event loop
    if (run % 16 === 0) await new Promise((next) => setImmediate(next))
    if (performance.now() - told < 1000) continue
    told = performance.now()
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${progress(fuzzer)}`)
  }
  if (!process.stdout.isTTY) console.log(progress(fuzzer))
}

function progress({ target, runs, spent, corpusSize, reached }: Fuzzer): string {
  const rate = spent > 0 ? Math.round((1000 * runs) / spent) : 0
  return `${target.name.padEnd(13)} ${runs} runs, ${rate} a second, ${corpusSize} inputs kept, ${reached} pieces of code`
}

/** Makes a failing input small, and says how to repeat it. */
async function tell(target: Target, input: Uint8Array, kind: string): Promise<void> {
  console.log(`\n\n${target.name} failed: ${kind}\nmaking it smaller…`)
  const small = await shrink(target, input, kind, target.shrinkTries)
  const file = addToCorpus(target.name, small, kind)
  await show(target, small)
  const hex = toHex(small)
  if (hex.length <= LINE) console.log(`repeat: npm run fuzz -- ${target.name} --input ${hex}`)
  console.log(`kept in ${file}\n`)
}

async function show(target: Target, input: Uint8Array): Promise<void> {
  const failure = await failureOf(target, input)
  const { error } = failure ?? {}
  console.log(target.describe?.(input) ?? '')
  console.log(error instanceof Error ? error.stack : error)
}

async function repeat(input: Uint8Array): Promise<number> {
  const [target] = options.targets as [Target]
  const failure = await failureOf(target, input)
  if (!failure) console.log(`${target.describe?.(input) ?? ''}\nholds`)
  else await show(target, input)
  return failure ? 1 : 0
}

function expectProportion(fuzzer: Fuzzer, failures: Map<string, number>): void {
  for (const input of fuzzer.dearest) {
    const found = disproportion(fuzzer.target, coverage, input)
    if (!found) continue
    const { once, twice } = found
    failures.set(`${fuzzer.target.name}: work out of proportion`, 1)
    addToCorpus(fuzzer.target.name, input, 'work out of proportion')
    console.log(
      `${fuzzer.target.name}: ${once.bytes} bytes cost ${once.steps} steps, ${twice.bytes} bytes ${twice.steps}: ${toHex(input)}`,
    )
  }
}
