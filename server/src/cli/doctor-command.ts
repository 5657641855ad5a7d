/** `confab doctor <store>`: looks over a client's store on disk, and repairs what can be repaired. */
import type { StoreReport } from '@confab/client'
import type { Command } from 'commander'

interface DoctorOptions {
  repair?: boolean
  json?: boolean
}

/** Adds the `doctor` command to the program. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description("look over a client's store on disk: the journal, documents, pages of history, leftovers")
    .argument('<store>', 'the folder that was given to directory()')
    .option('--repair', 'do what the findings say, with a copy of each file beside it')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      '\nStop the app first: it must not have the store open. Ends with 1 when something is wrong and was not repaired.',
    )
    .action(async (store: string, options: DoctorOptions) => {
      const { examineStores } = await import('@confab/client')
      const reports = await examineStores(store)
      if (options.json) {
        console.log(JSON.stringify(reports, null, 2))
      } else for (const report of reports) for (const line of linesOf(report)) console.log(line)
      for (const report of reports) {
        if (report.findings.length === 0) continue
        if (!options.repair) process.exitCode = 1
        else await repair(report)
      }
      if (process.exitCode === 1 && !options.repair && !options.json)
        console.log('\nRun it with --repair to have that done.')
    })
}

async function repair(report: StoreReport): Promise<void> {
  const copy = await report.repair()
  if (copy) console.log(`\n${report.file} is repaired; as it was, it is in ${copy}`)
  if (!copy || report.findings.some(({ repair }) => repair === null)) process.exitCode = 1
}

function* linesOf({ file, owner, bytes, counts, findings }: StoreReport): Iterable<string> {
  yield file
  if (owner)
    yield `  of ${owner.identity} at ${withoutSecrets(owner.relay)} (${owner.accountSid}, ${owner.serviceSid})`
  if (counts) {
    const { conversations, pages, pending, held } = counts
    yield `  ${(bytes / 1e6).toFixed(1)} MB: ${conversations} conversations, ${pages} pages of history`
    yield `  ${pending} operations pending, ${held} held`
  }
  if (findings.length === 0) yield '  Nothing is wrong.'
  for (const { kind, what, repair } of findings) {
    yield `  ! ${what} [${kind}]`
    yield `    ${repair === null ? 'Nothing can be done about it here.' : `A repair: ${repair}.`}`
  }
}

const withoutSecrets = (url: string): string => url.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/, '')
