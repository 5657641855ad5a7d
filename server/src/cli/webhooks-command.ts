/** `confab webhooks`: events that no webhook took, and telling them again. */
import { type Command, InvalidArgumentError } from 'commander'
import { administer, type DatabaseOptions } from './control.ts'
import { databaseOption, limitOf } from './database-options.ts'

interface Failures {
  pending: number
  dead: number
  failures: {
    token: string
    type: string
    document: string
    url: string
    attempts: number
    at: number
    error: string
  }[]
}

/** Adds the `webhooks` commands to the program. */
export function registerWebhooks(program: Command): void {
  const webhooks = program.command('webhooks').description('events that no webhook took, after many tries')
  webhooks
    .command('list')
    .description('list them, the newest first')
    .addOption(databaseOption())
    .option('-n, --limit <count>', 'how many', limitOf, 100)
    .action(async ({ limit, ...options }: DatabaseOptions & { limit: number }) => {
      const { pending, dead, failures } = await administer<Failures>(options, 'webhooks.list', { limit })
      console.log(`${pending} waiting, ${dead} given up`)
      for (const { token, type, document, url, attempts, at, error } of failures) {
        const target = URL.parse(url)?.host ?? ''
        const when = new Date(at).toISOString()
        console.log(`${token}  ${when}  ${type}  ${document}  ${target}  ${attempts} tries  ${error}`)
      }
    })
  webhooks
    .command('retry')
    .description('tell them again: those that are named, or all')
    .argument('[events...]', 'as the list has them')
    .option('--all', 'all of them')
    .addOption(databaseOption())
    .action(async (events: string[], { all, ...options }: DatabaseOptions & { all?: true }) => {
      if ((events.length === 0) !== (all === true))
        throw new InvalidArgumentError('name events, as the list has them, or say --all')
      const named = all ? null : events
      const { retried } = await administer<{ retried: number }>(options, 'webhooks.retry', { events: named })
      console.log(`${retried} will be told again`)
    })
}
