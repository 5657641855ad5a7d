/** `confab retention`: how long messages are kept. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { RetentionRule } from '../administration/retention.ts'
import { administer, type DatabaseOptions } from './control.ts'
import { databaseOption } from './database-options.ts'

interface SetOptions extends DatabaseOptions {
  account: string
  service?: string
  conversation?: string
}

/** Adds the `retention` commands to the program. */
export function registerRetention(program: Command): void {
  const retention = program
    .command('retention')
    .description('how long messages are kept: for ever by default')
  retention
    .command('list')
    .description('list what was set')
    .addOption(databaseOption())
    .action(async (options: DatabaseOptions) => {
      const rules = await administer<RetentionRule[]>(options, 'retention.list', {})
      if (rules.length === 0) console.log('Messages are kept for ever.')
      for (const { serviceSid, conversationSid, days } of rules) {
        const kept = days === null ? 'for ever' : `${days} days`
        console.log(`${serviceSid}  ${conversationSid ?? 'every conversation'}  ${kept}`)
      }
    })
  retention
    .command('set')
    .description('keep messages so many days, or for ever; what is older is removed for everybody')
    .argument('<days>', "a whole number, or 'forever'", daysOf)
    .addOption(databaseOption())
    .addOption(
      new Option('-a, --account <sid>', 'the account whose default service it is for')
        .default('ACconfab')
        .env('CONFAB_ACCOUNT'),
    )
    .option('--service <sid>', 'another service')
    .option('--conversation <sid>', "one conversation of it, whatever the service's rule is")
    .action(async (days: number | 'forever', { account, service, conversation, ...options }: SetOptions) => {
      await administer(options, 'retention.set', {
        account,
        service: service ?? null,
        conversation: conversation ?? null,
        days: days === 'forever' ? null : days,
      })
      console.log(days === 'forever' ? 'Messages are kept for ever' : `Messages are kept ${days} days`)
    })
}

function daysOf(text: string): number | 'forever' {
  if (text === 'forever') return text
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError("It must be a whole number, or 'forever'.")
  return Number(text)
}
