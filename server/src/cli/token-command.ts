/** `confab token <identity>`: mints an access token, as an app's own server would. */
import { type Command, Option } from 'commander'
import { DEMO_DATABASE, demoKeys } from './demo.ts'
import { commaSeparated, keyMissing, parseKeys } from './keys.ts'

interface TokenCommandOptions {
  key?: string
  account: string
  service?: string
  ttl: string
  role?: string
  url?: string
  demo?: boolean
  database?: string
}

/** Adds the `token` command to the program. */
export function registerToken(program: Command): void {
  program
    .command('token')
    .description('print an access token for somebody, signed with an API key of the relay')
    .argument('<identity>', 'whom it is for')
    .option('-k, --key <sid=secret>', 'API key to sign with (env: the first of CONFAB_KEYS)')
    .addOption(new Option('-a, --account <sid>', "account's sid").default('ACconfab').env('CONFAB_ACCOUNT'))
    .addOption(
      new Option('-s, --service <sid>', "service's sid; the account's default one when left out").env(
        'CONFAB_SERVICE',
      ),
    )
    .option('-t, --ttl <seconds>', 'until it expires', '3600')
    .option('--role <sid>', 'role in the whole service; a service user by default')
    .addOption(new Option('-u, --url <url>', "the relay's URL, to be carried in the token").env('CONFAB_URL'))
    .option('--demo', 'sign with the key of a relay started with --demo')
    .addOption(
      new Option('-d, --database <file>', "with --demo: the relay's database").env('CONFAB_DATABASE'),
    )
    .action(async (identity: string, options: TokenCommandOptions) => {
      const { createAccessToken } = await import('../token.ts')
      console.log(
        await createAccessToken({
          ...signerOf(options),
          identity,
          serviceSid: options.service,
          ttl: Number(options.ttl),
          roleSid: options.role,
          relayUrl: options.url,
        }),
      )
    })
}

function signerOf(options: TokenCommandOptions): { accountSid: string; key: string; secret: string } {
  if (options.demo) return demoKeys(options.database ?? DEMO_DATABASE)
  const pair = options.key ?? commaSeparated(process.env.CONFAB_KEYS)[0]
  const [first] = Object.entries(parseKeys(pair === undefined ? [] : [pair]))
  if (!first) return keyMissing()
  const [key, configured] = first
  return typeof configured === 'string'
    ? { accountSid: options.account, key, secret: configured }
    : { key, ...configured }
}
