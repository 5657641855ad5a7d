/** `confab accounts` and `confab keys`: who may use the REST API of a relay, whether or not it runs. */
import type { Command } from 'commander'
import type { Listed } from '../accounts/accounts.ts'
import { administer, type DatabaseOptions } from './control.ts'
import { databaseOption as database, sealingKeyOption as sealingKey } from './database-options.ts'

/** Adds the `accounts` and `keys` commands to the program. */
export function registerAccounts(program: Command): void {
  const accounts = program
    .command('accounts')
    .description('accounts of the REST API: make them, list them, give them another auth token')
  accounts
    .command('create')
    .description('make an account; its auth token is printed now and never again')
    .argument('[name]', 'what you call it', 'default')
    .addOption(database())
    .addOption(sealingKey())
    .action(async (name: string, options: DatabaseOptions) => {
      const made = await administer<{ sid: string; authToken: string }>(options, 'accounts.create', { name })
      console.log(`Account SID  ${made.sid}\nAuth token   ${made.authToken}`)
    })
  accounts
    .command('list')
    .description('list the accounts that the database knows')
    .addOption(database())
    .addOption(sealingKey())
    .action(async (options: DatabaseOptions) =>
      print(await administer<Listed[]>(options, 'accounts.list', {})),
    )
  accounts
    .command('rotate')
    .description('give an account another auth token; the one before ends at once')
    .argument('<sid>', "the account's sid")
    .addOption(database())
    .addOption(sealingKey())
    .action(async (sid: string, options: DatabaseOptions) => {
      const { authToken } = await administer<{ authToken: string }>(options, 'accounts.rotate', { sid })
      console.log(`Auth token   ${authToken}`)
    })

  const keys = program
    .command('keys')
    .description('API keys of an account: they ask by REST, and sign access tokens')
  keys
    .command('create')
    .description('make a key; its secret is printed now and never again')
    .argument('<account>', "the account's sid")
    .argument('[name]', 'what you call it', '')
    .addOption(database())
    .addOption(sealingKey())
    .action(async (account: string, name: string, options: DatabaseOptions) => {
      const made = await administer<{ sid: string; secret: string }>(options, 'keys.create', {
        account,
        name,
      })
      console.log(`Key SID      ${made.sid}\nSecret       ${made.secret}`)
    })
  keys
    .command('list')
    .description('list the keys of an account')
    .argument('<account>', "the account's sid")
    .addOption(database())
    .addOption(sealingKey())
    .action(async (account: string, options: DatabaseOptions) =>
      print(await administer<Listed[]>(options, 'keys.list', { account })),
    )
  keys
    .command('delete')
    .description('revoke a key: it opens nothing any more')
    .argument('<sid>', "the key's sid")
    .addOption(database())
    .addOption(sealingKey())
    .action(async (sid: string, options: DatabaseOptions) => {
      await administer(options, 'keys.delete', { sid })
      console.log(`${sid} is revoked`)
    })
}

function print(all: readonly Listed[]): void {
  if (all.length === 0) console.log('There are none.')
  for (const { sid, friendlyName, dateCreated } of all) {
    const made = dateCreated === null ? '' : new Date(dateCreated).toISOString()
    console.log(`${sid}  ${made}  ${friendlyName}`)
  }
}
