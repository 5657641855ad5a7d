/** `confab accounts` and `confab keys`: who may use the REST API of a relay, written into its database. */
import { ConfabError } from '@confab/core'
import { type Command, Option } from 'commander'
import type { Accounts, Listed } from '../accounts/accounts.ts'

interface DatabaseOptions {
  database: string
  sealingKey?: string
}

const database = () =>
  new Option('-d, --database <file>', "the relay's database; the relay must not be running on it")
    .default('confab.sqlite')
    .env('CONFAB_DATABASE')
const sealingKey = () =>
  new Option(
    '--sealing-key <hex>',
    'key that secrets are sealed under, 64 hex digits; a file beside the database when left out',
  ).env('CONFAB_SEALING_KEY')

const WHILE_RUNNING = `
While the relay runs, keys are made by its REST API: POST /2010-04-01/Accounts/<sid>/Keys.json`

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
    .action((name: string, options: DatabaseOptions) =>
      withAccounts(options, async (all) => {
        const { sid, authToken } = await all.create(name)
        console.log(`Account SID  ${sid}\nAuth token   ${authToken}`)
      }),
    )
  accounts
    .command('list')
    .description('list the accounts that the database knows')
    .addOption(database())
    .addOption(sealingKey())
    .action((options: DatabaseOptions) => withAccounts(options, async (all) => print(await all.list())))
  accounts
    .command('rotate')
    .description('give an account another auth token; the one before ends at once')
    .argument('<sid>', "the account's sid")
    .addOption(database())
    .addOption(sealingKey())
    .action((sid: string, options: DatabaseOptions) =>
      withAccounts(options, async (all) => console.log(`Auth token   ${(await all.rotate(sid)).authToken}`)),
    )

  const keys = program
    .command('keys')
    .description('API keys of an account: they ask by REST, and sign access tokens')
    .addHelpText('after', WHILE_RUNNING)
  keys
    .command('create')
    .description('make a key; its secret is printed now and never again')
    .argument('<account>', "the account's sid")
    .argument('[name]', 'what you call it', '')
    .addOption(database())
    .addOption(sealingKey())
    .addHelpText('after', WHILE_RUNNING)
    .action((account: string, name: string, options: DatabaseOptions) =>
      withAccounts(options, async (all) => {
        const { sid, secret } = await all.createKey(account, name)
        console.log(`Key SID      ${sid}\nSecret       ${secret}`)
      }),
    )
  keys
    .command('list')
    .description('list the keys of an account')
    .argument('<account>', "the account's sid")
    .addOption(database())
    .addOption(sealingKey())
    .action((account: string, options: DatabaseOptions) =>
      withAccounts(options, async (all) => print(await all.listKeys(account))),
    )
  keys
    .command('delete')
    .description('revoke a key: it opens nothing any more')
    .argument('<sid>', "the key's sid")
    .addOption(database())
    .addOption(sealingKey())
    .action((sid: string, options: DatabaseOptions) => withAccounts(options, (all) => all.deleteKey(sid)))
}

async function withAccounts(
  { database, sealingKey }: DatabaseOptions,
  work: (accounts: Accounts) => Promise<void>,
): Promise<void> {
  const [{ Accounts }, { openSecretBox }, { openSqliteStore }] = await Promise.all([
    import('../accounts/accounts.ts'),
    import('../accounts/secret-box.ts'),
    import('../store/sqlite/sqlite-store.ts'),
  ])
  if (database === ':memory:') throw new ConfabError(20001, 'accounts are kept in a database file')
  const store = openSqliteStore(database)
  try {
    const box = () => openSecretBox(database, sealingKey)
    await work(new Accounts({ configured: {}, objects: store.objects, box, now: Date.now }))
  } finally {
    await store.close()
  }
}

function print(all: readonly Listed[]): void {
  if (all.length === 0) console.log('There are none.')
  for (const { sid, friendlyName, dateCreated } of all) {
    const made = dateCreated === null ? '' : new Date(dateCreated).toISOString()
    console.log(`${sid}  ${made}  ${friendlyName}`)
  }
}
