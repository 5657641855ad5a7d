/** `confab audit`: what administrators did, by REST and by command. */
import type { Command } from 'commander'
import type { AuditEntry } from '../administration/audit.ts'
import { administer, type DatabaseOptions } from './control.ts'
import { databaseOption, limitOf } from './database-options.ts'

/** Adds the `audit` command to the program. */
export function registerAudit(program: Command): void {
  program
    .command('audit')
    .description('what administrators did, by REST and by command, the newest first')
    .addOption(databaseOption())
    .option('-n, --limit <count>', 'how many', limitOf, 100)
    .action(async ({ limit, ...options }: DatabaseOptions & { limit: number }) => {
      for (const { at, actor, act, target, fields } of await administer<AuditEntry[]>(options, 'audit', {
        limit,
      })) {
        const given = fields.length > 0 ? `  (${fields.join(', ')})` : ''
        console.log(`${new Date(at).toISOString()}  ${actor}  ${act}  ${target}${given}`)
      }
    })
}
