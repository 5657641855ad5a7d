/** `confab backup` and `confab restore`: a copy of a relay's database, and the way back. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfabError } from '@confab/core'
import { type Command, Option } from 'commander'
import { administer } from './control.ts'

const database = () =>
  new Option('-d, --database <file>', "the relay's SQLite file")
    .default('confab.sqlite')
    .env('CONFAB_DATABASE')

/** Adds both commands to the program. */
export function registerBackup(program: Command): void {
  program
    .command('backup')
    .description(
      "copy a relay's database as it is at one moment into a new file, whether or not the relay runs",
    )
    .argument('<file>', 'the copy, which must not be there yet')
    .addOption(database())
    .action(async (file: string, options: { database: string }) => {
      if (!existsSync(options.database))
        throw new ConfabError(20001, `there is no database ${options.database}`)
      await administer(options, 'backup', { file: resolve(file) })
      console.log(`${options.database} is backed up to ${file}`)
    })

  program
    .command('restore')
    .description("put a backup in the place of a relay's database; the relay must not run")
    .argument('<file>', 'the backup, which stays as it is')
    .addOption(database())
    .option(
      '--force',
      'even if the database that is there has what the backup lacks; it is kept under another name',
    )
    .addHelpText(
      'after',
      `
Devices that are ahead of the backup notice when they connect, and bring again what their own people had written, as
far as they keep it: a week, and a thousand operations. What other people had written they offer, and the relay takes
it from service admins, or from those whom 'confab relay --restore-from-members' lets for as long as it runs.`,
    )
    .action(async (file: string, options: { database: string; force?: true }) => {
      const { restoreDatabase } = await import('../store/sqlite/restore.ts')
      const before = restoreDatabase(file, options.database, options.force === true)
      console.log(`${file} is restored to ${options.database}`)
      if (before !== null) console.log(`what was there before is kept as ${before}`)
    })
}
