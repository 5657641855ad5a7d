/** `confab import <files>`: takes exported conversations into a relay's database. */
import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'

interface ImportOptions {
  database?: string
  account: string
  service?: string
}

/** Adds the `import` command to the program. */
export function registerImport(program: Command): void {
  program
    .command('import')
    .description("take exported conversations (confab export) into a relay's database, sids and indices kept")
    .argument('<file...>', 'files of JSON lines')
    .addOption(
      new Option('-d, --database <file>', "the relay's database, made when missing").env('CONFAB_DATABASE'),
    )
    .addOption(new Option('-a, --account <sid>', "account's sid").default('ACconfab').env('CONFAB_ACCOUNT'))
    .addOption(
      new Option('-s, --service <sid>', "service's sid; the account's default one when left out").env(
        'CONFAB_SERVICE',
      ),
    )
    .addHelpText(
      'after',
      '\nStop the relay first: it holds its database alone. What was imported before is passed over, and an import\nthat was cut short goes on.',
    )
    .action(async (files: string[], options: ImportOptions) => {
      if (options.database === undefined)
        return program.error('error: a database is needed: --database <file>, or CONFAB_DATABASE')
      const [{ defaultServiceSid }, { openSqliteStore }, { readExported }, { importConversation }] =
        await Promise.all([
          import('@confab/core'),
          import('../store/sqlite/sqlite-store.ts'),
          import('../import/exported.ts'),
          import('../import/import.ts'),
        ])
      const store = openSqliteStore(options.database)
      const serviceSid = options.service ?? defaultServiceSid(options.account)
      try {
        for (const file of files) {
          try {
            const exported = readExported(readFileSync(file, 'utf8'))
            const { messages, warnings } = await importConversation(store, serviceSid, exported)
            console.log(`${exported.record.sid}: ${messages} messages imported from ${file}`)
            if (exported.unseen > 0)
              warnings.push(
                `${exported.unseen} messages are missing: the device that exported it did not have them`,
              )
            for (const warning of warnings) console.error(`confab: ${file}: ${warning}`)
          } catch (error) {
            console.error(`confab: ${file}: ${error instanceof Error ? error.message : String(error)}`)
            process.exitCode = 1
          }
        }
      } finally {
        await store.close()
      }
    })
}
