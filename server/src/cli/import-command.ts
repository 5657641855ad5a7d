/** `confab import <files>`: takes exported conversations into a relay that runs, or into the database of one that doesn't. */
import { defaultServiceSid } from '@confab/core'
import { type Command, Option } from 'commander'
import type { ImportTarget } from '../import/run.ts'
import { addMediaPlace, type MediaCommandOptions, mediaOf } from './media-options.ts'

interface ImportOptions extends MediaCommandOptions {
  relay?: string
  database?: string
  account: string
  key?: string
  secret?: string
  service?: string
}

/** Milliseconds between two words on how far it is. */
const TELL_EVERY = 2000

/** Adds the `import` command to the program. */
export function registerImport(program: Command): void {
  const command = program
    .command('import')
    .description(
      'take exported conversations (confab export) into a relay, sids and indices kept, with the attachments beside them',
    )
    .argument('<file...>', 'files of JSON lines')
    .addOption(new Option('-r, --relay <url>', 'a relay that runs: https://relay.example.org'))
    .addOption(
      new Option(
        '-d, --database <file>',
        "a relay's database while no relay runs on it, made when missing",
      ).env('CONFAB_DATABASE'),
    )
    .addOption(new Option('-a, --account <sid>', "account's sid").default('ACconfab').env('CONFAB_ACCOUNT'))
    .addOption(
      new Option('-k, --key <sid>', "with --relay: an API key's sid, in place of the account's").env(
        'CONFAB_KEY',
      ),
    )
    .addOption(
      new Option(
        '--secret <secret>',
        "with --relay: the account's auth token or the key's secret, better kept in the environment",
      ).env('CONFAB_AUTH_TOKEN'),
    )
    .addOption(
      new Option('-s, --service <sid>', "service's sid; the account's default one when left out").env(
        'CONFAB_SERVICE',
      ),
    )
  addMediaPlace(command)
    .addHelpText(
      'after',
      '\nWhat was imported before is passed over, and an import that was cut short goes on when it is run again.\nEnds with 1 when something of it stayed out.',
    )
    .action(async (files: string[], options: ImportOptions) => {
      const { relay, database } = options
      const isBoth = relay !== undefined && command.getOptionValueSource('database') === 'cli'
      if (isBoth || (relay === undefined && database === undefined))
        return program.error('error: say where to: --relay <url>, or --database <file>')
      // no database is made, and nobody is asked, for the sake of files that can't be read
      const target = whenFirstUsed(() => targetOf(options))
      try {
        for (const file of files) await take(target, file)
      } finally {
        await target.close()
      }
    })
}

function whenFirstUsed(open: () => Promise<ImportTarget>): ImportTarget {
  let opened: Promise<ImportTarget> | null = null
  const target = () => (opened ??= open())
  return {
    take: async (piece) => (await target()).take(piece),
    attach: async (conversationSid, attached, content) =>
      (await target()).attach(conversationSid, attached, content),
    close: async () => (await opened?.catch(() => null))?.close(),
  }
}

async function targetOf(options: ImportOptions): Promise<ImportTarget> {
  const { relay, database = '', account, key, secret, service } = options
  if (relay === undefined) {
    const { toDatabase } = await import('../import/to-database.ts')
    return toDatabase(database, service ?? defaultServiceSid(account), await mediaOf(options))
  }
  if (secret === undefined)
    throw new Error('An administrator is asked for: CONFAB_AUTH_TOKEN with --account or --key')
  const { toRelay } = await import('../import/to-relay.ts')
  const to = { url: relay, sid: key ?? account, secret }
  return toRelay({ ...to, ...(service !== undefined && { service }) })
}

/** Files come one after the other; one that can't be taken leaves the others alone. */
async function take(target: ImportTarget, file: string): Promise<void> {
  const { importFile } = await import('../import/run.ts')
  let told = Date.now()
  const progress = (done: number, all: number) => {
    if (Date.now() - told < TELL_EVERY) return
    told = Date.now()
    console.error(`confab: ${file}: ${done} of ${all} messages`)
  }
  try {
    const { conversationSid, messages, attachments, warnings } = await importFile(target, file, progress)
    const content = attachments > 0 ? ` and ${attachments} attachments` : ''
    console.log(`${conversationSid}: ${messages} messages${content} imported from ${file}`)
    for (const warning of warnings) console.error(`confab: ${file}: ${warning}`)
    if (warnings.length > 0) process.exitCode = 1
  } catch (error) {
    console.error(`confab: ${file}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
