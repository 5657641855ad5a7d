/** `npm run bench`: runs benchmarks and writes what they found into `docs/benchmarks.md`. */
import { fork } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { installPeers, peerVersions } from './relay/peers.ts'
import { hasPeersIn, machine, PEERS, sectionOf, withSections } from './report.ts'
import { FEWEST_RUNS, type Row } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const USAGE = `usage: npm run bench -- [options] [name…]

Runs the benchmarks that are named, or all of them, and writes their sections of docs/benchmarks.md.

  --peers      also other servers, in the same run; they are installed in a folder of their own
  --runs <n>   how often each is measured: at least ${FEWEST_RUNS}, 5 unless told
  --dry-run    print the sections and write nothing
  --list       print the names and titles
  --help       print this`
const REPORT = new URL('../../docs/benchmarks.md', import.meta.url)

const options = {
  peers: { type: 'boolean', default: false },
  runs: { type: 'string', default: '5' },
  'dry-run': { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function run(name: string, runs: number, peers: boolean): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const child = fork(
      new URL('./run-scenario.ts', import.meta.url),
      [name, String(runs), peers ? 'peers' : ''],
      {
        execArgv: ['--expose-gc'],
      },
    )
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
  if (values.peers) installPeers()
  for (const scenario of wanted) {
    const peers = values.peers && scenario.hasPeers === true
    const where = peers ? `${machine()}; ${peerVersions()}` : machine()
    const rows = await run(scenario.name, runs, peers)
    const section = sectionOf(scenario, rows, where, new Date(), peers ? PEERS : '')
    console.log(section)
    if (values['dry-run']) continue
    // written at once: a benchmark that fails later takes nothing along
    const before = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : ''
    if (!peers && hasPeersIn(before, scenario.name)) {
      console.log(
        `${scenario.name} was measured with --peers: the page keeps that, and takes one with --peers\n`,
      )
      continue
    }
    const order = scenarios.map(({ name }) => name)
    writeFileSync(REPORT, withSections(before, new Map([[scenario.name, section]]), order))
  }
}
