/** `npm run bench`: runs benchmarks and writes what they found into `docs/benchmarks.md`. */
import { fork } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { machine, sectionOf, withSections } from './report.ts'
import { FEWEST_RUNS, type Row } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const USAGE = `usage: npm run bench -- [options] [name…]

Runs the benchmarks that are named, or all of them, and writes their sections of docs/benchmarks.md.

  --runs <n>   how often each is measured: at least ${FEWEST_RUNS}, 5 unless told
  --dry-run    print the sections and write nothing
  --list       print the names and titles
  --help       print this`
const REPORT = new URL('../../docs/benchmarks.md', import.meta.url)

const options = {
  runs: { type: 'string', default: '5' },
  'dry-run': { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function run(name: string, runs: number): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./run-scenario.ts', import.meta.url), [name, String(runs)], {
      execArgv: ['--expose-gc'],
    })
    let rows: Row[] | null = null
    child.on('message', (message) => (rows = message as Row[]))
    child.on('error', reject)
    child.on('exit', (code) => {
      if (rows && code === 0) resolve(rows)
      else reject(new Error(`The benchmark ${name} failed (exit code ${code})`))
    })
  })
}

function fail(message: string): never {
  console.error(`${message}\n\n${USAGE}`)
  process.exit(1)
}

function parse() {
  try {
    return parseArgs({ options, allowPositionals: true })
  } catch (cause) {
    return fail((cause as Error).message)
  }
}

const { values, positionals } = parse()
const runs = Number(values.runs)
const unknown = positionals.find((name) => !scenarios.some((scenario) => scenario.name === name))
if (values.help) console.log(USAGE)
else if (values.list) for (const { name, title } of scenarios) console.log(`${name.padEnd(12)} ${title}`)
else if (unknown !== undefined) fail(`No such benchmark: ${unknown}`)
else if (!(Number.isSafeInteger(runs) && runs >= FEWEST_RUNS)) fail(`--runs is at least ${FEWEST_RUNS}`)
else {
  const wanted = scenarios.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  for (const scenario of wanted) {
    const section = sectionOf(scenario, await run(scenario.name, runs), machine(), new Date())
    console.log(section)
    if (values['dry-run']) continue
    // written at once: a benchmark that fails later takes nothing along
    const before = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : ''
    const order = scenarios.map(({ name }) => name)
    writeFileSync(REPORT, withSections(before, new Map([[scenario.name, section]]), order))
  }
}
