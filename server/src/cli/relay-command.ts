/** `confab relay`: runs a relay until it is told to end. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfabError, type RestoringFrom } from '@confab/core'
import { type Command, Option } from 'commander'
import type { ConfiguredAccounts } from '../accounts/accounts.ts'
import { DEFAULT_PORT } from '../default-port.ts'
import type { OpenIdOptions } from '../open-id.ts'
import type { Relay } from '../relay.ts'
import { type Control, serveControl } from './control.ts'
import { DEMO_DATABASE, type DemoKeys, demoKeys } from './demo.ts'
import { collect, commaSeparated, keyMissing, parseKeys } from './keys.ts'
import { addMediaOptions, type MediaCommandOptions, mediaOf } from './media-options.ts'

interface RelayCommandOptions extends MediaCommandOptions {
  port: string
  host: string
  database?: string
  key?: string[]
  origin?: string[]
  channels?: string
  app?: string
  account: string
  authToken?: string
  sealingKey?: string
  publicUrl?: string
  logLevel?: string
  demo?: boolean
  restoreFromMembers?: string | true
  openidJwks?: string
  openidIssuer?: string
  openidAudience?: string
  openidIdentity: string
  allowPrivateWebhooks?: true
  webhookTimeout: 'publish' | 'refuse'
  metricsPort?: string
  metricsToken?: string
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
/** Seconds. Demo tokens are made anew at every start. */
const DEMO_TTL = 24 * 3600
/** A terminal's ^C comes twice under `npm start`: from the terminal, and handed on by npm. */
const SAME_SIGNAL = 500

/** Adds the `relay` command to the program. */
export function registerRelay(program: Command): void {
  const command = program
    .command('relay')
    .description('run a relay')
    .addOption(
      new Option('-p, --port <port>', 'port; 0 picks a free one')
        .default(String(DEFAULT_PORT))
        .env('CONFAB_PORT'),
    )
    .addOption(
      new Option('--host <address>', 'address to listen on; 0.0.0.0 or :: for every network')
        .default('127.0.0.1')
        .env('CONFAB_HOST'),
    )
    .addOption(
      new Option('-d, --database <file>', 'SQLite file, made when missing, or :memory:').env(
        'CONFAB_DATABASE',
      ),
    )
    .option(
      '-k, --key <sid=secret>',
      'API key that signs access tokens, its secret of 32 bytes or more; account/sid=secret for one account alone; repeatable (env: CONFAB_KEYS, comma-separated)',
      collect,
    )
    .option(
      '--origin <origin>',
      'page that may connect; repeatable; any by default (env: CONFAB_ORIGINS, comma-separated)',
      collect,
    )
    .addOption(
      new Option(
        '-c, --channels <file>',
        'JSON file that describes SMS, WhatsApp and e-mail (docs/channels.md)',
      ).env('CONFAB_CHANNELS'),
    )
    .addOption(
      new Option(
        '-a, --account <sid>',
        'account of --auth-token and OpenID, whose default service channels are for',
      )
        .default('ACconfab')
        .env('CONFAB_ACCOUNT'),
    )
    .addOption(
      new Option(
        '--auth-token <token>',
        "the account's auth token for the REST API, 32 characters or more; confab accounts makes accounts, too",
      ).env('CONFAB_AUTH_TOKEN'),
    )
    .addOption(
      new Option(
        '--sealing-key <hex>',
        'key that secrets in the database are sealed under, 64 hex digits; a file beside it when left out',
      ).env('CONFAB_SEALING_KEY'),
    )
    .addOption(
      new Option(
        '--public-url <url>',
        'where people reach the relay, for addresses that the REST API gives out',
      ).env('CONFAB_PUBLIC_URL'),
    )
    .addOption(
      new Option(
        '--openid-jwks <url>',
        'where an identity provider publishes its keys: people may connect with its tokens',
      ).env('CONFAB_OPENID_JWKS'),
    )
    .addOption(new Option('--openid-issuer <url>', 'what its tokens have as iss').env('CONFAB_OPENID_ISSUER'))
    .addOption(
      new Option('--openid-audience <text>', 'what its tokens have as, or among, aud').env(
        'CONFAB_OPENID_AUDIENCE',
      ),
    )
    .addOption(
      new Option('--openid-identity <claim>', 'the claim that says who somebody is')
        .default('sub')
        .env('CONFAB_OPENID_IDENTITY'),
    )
    .addOption(
      new Option(
        '--allow-private-webhooks',
        'let webhooks be at private and loopback addresses, which this machine can reach and the internet can’t',
      ).env('CONFAB_ALLOW_PRIVATE_WEBHOOKS'),
    )
    .addOption(
      new Option(
        '--webhook-timeout <what>',
        'what becomes of an operation whose pre-event webhook gives no answer',
      )
        .choices(['publish', 'refuse'])
        .default('publish')
        .env('CONFAB_WEBHOOK_TIMEOUT'),
    )
    .addOption(
      new Option(
        '--metrics-port <port>',
        'serve /metrics, /healthz and /readyz on a port of their own, on the same address',
      ).env('CONFAB_METRICS_PORT'),
    )
    .addOption(
      new Option(
        '--metrics-token <token>',
        'serve /metrics on the relay’s own port to whoever has this bearer token, 16 characters or more',
      ).env('CONFAB_METRICS_TOKEN'),
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(LOG_LEVELS)
        .env('CONFAB_LOG_LEVEL'),
    )
    .addOption(
      new Option(
        '--app <folder>',
        'serve a built web app at the address of the relay, such as examples/web/dist',
      ).env('CONFAB_APP'),
    )
    .addOption(
      new Option(
        '--restore-from-members [who]',
        'after a backup was restored: lets admins of a conversation, or all of its members, bring again what others had written',
      )
        .choices(['admins', 'all'])
        .preset('all'),
    )
  addMediaOptions(command)
    .option('--demo', 'make keys of its own, kept beside the database, and print commands to try it with')
    .addHelpText(
      'after',
      '\nSIGTERM or ^C drains: what was taken is committed, and clients are told to come back.',
    )
    .action(run)
}

async function run(options: RelayCommandOptions): Promise<void> {
  // loaded here, so that the other commands and --help don't wait for a relay's parts
  const [{ createRelay }, { pino }] = await Promise.all([import('../relay.ts'), import('pino')])
  const database = options.database ?? (options.demo ? DEMO_DATABASE : 'confab.sqlite')
  const demo = options.demo ? demoKeys(database) : null
  const accessKeys = {
    ...parseKeys(options.key ?? commaSeparated(process.env.CONFAB_KEYS)),
    ...(demo && { [demo.key]: demo.secret }),
  }
  // a database may have accounts and keys of its own
  const openId = openIdOf(options, demo?.accountSid ?? options.account)
  if (
    Object.keys(accessKeys).length === 0 &&
    !openId &&
    options.authToken === undefined &&
    !existsSync(database)
  )
    keyMissing()
  const channels = options.channels
    ? (await import('../channels/configuration.ts')).readChannels(
        options.channels,
        demo?.accountSid ?? options.account,
        process.env,
      )
    : undefined
  const relay = await createRelay({
    port: portOf(options.port),
    host: options.host,
    database: withFolder(database),
    accessKeys,
    restoringFrom: restoringFrom(options.restoreFromMembers),
    accounts: accountsOf(options, demo),
    ...(openId && { openId }),
    webhooks: {
      allowPrivateTargets: options.allowPrivateWebhooks === true,
      onTimeout: options.webhookTimeout,
    },
    metrics: {
      ...(options.metricsPort !== undefined && { port: portOf(options.metricsPort) }),
      ...(options.metricsToken !== undefined && { token: options.metricsToken }),
    },
    ...(options.sealingKey !== undefined && { sealingKey: options.sealingKey }),
    ...(options.publicUrl !== undefined && { publicUrl: options.publicUrl }),
    ...(channels && { channels }),
    media: await mediaOf(options),
    ...(options.app !== undefined && { app: options.app }),
    ...(demo && { demoTokens: await demoMint(demo) }),
    origins: originsOf(options.origin ?? commaSeparated(process.env.CONFAB_ORIGINS)),
    logger: pino(
      { level: options.logLevel ?? (demo ? 'warn' : 'info') },
      pino.destination({ fd: 2, sync: true }),
    ),
  })
  const control = database === ':memory:' ? null : await serveControl(database, relay)
  endOnSignal(relay, control)
  console.log(`confab relay at ${relay.url}, database ${database}`)
  if (relay.metricsUrl !== null) console.log(`metrics at ${relay.metricsUrl}`)
  if (demo) await printDemo(relay, demo, options.app !== undefined)
}

/** @throws ConfabError 20001 when a part of it is missing */
function openIdOf(options: RelayCommandOptions, accountSid: string): OpenIdOptions | null {
  const { openidJwks: jwksUrl, openidIssuer: issuer, openidAudience: audience, openidIdentity } = options
  if (jwksUrl === undefined && issuer === undefined && audience === undefined) return null
  if (jwksUrl === undefined || issuer === undefined || audience === undefined)
    throw new ConfabError(20001, '--openid-jwks, --openid-issuer and --openid-audience belong together')
  return { jwksUrl, issuer, audience, accountSid, claims: openidIdentity }
}

/** @throws ConfabError 20001 */
function portOf(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new ConfabError(20001, 'port must be a whole number from 0 to 65535')
  return Number(text)
}

function accountsOf({ account, authToken }: RelayCommandOptions, demo: DemoKeys | null): ConfiguredAccounts {
  if (authToken !== undefined) return { [account]: { authToken } }
  return demo ? { [demo.accountSid]: { authToken: demo.authToken } } : {}
}

const originsOf = (origins: string[]) => (origins.length > 0 ? origins : 'any')

/** SQLite makes the file, but not the folder that it is in. */
function withFolder(database: string): string {
  if (database === ':memory:') return database
  try {
    mkdirSync(dirname(database), { recursive: true })
  } catch (error) {
    throw new ConfabError(20001, `the folder of ${database} can't be made: ${(error as Error).message}`)
  }
  return database
}

/** Mints tokens for pages, which know where the relay is: they came from there. */
async function demoMint({
  accountSid,
  key,
  secret,
}: DemoKeys): Promise<(identity: string) => Promise<string>> {
  const { createAccessToken } = await import('../token.ts')
  return (identity) => createAccessToken({ accountSid, key, secret, identity, ttl: DEMO_TTL })
}

async function printDemo(
  relay: Relay,
  { accountSid, authToken, key, secret }: DemoKeys,
  hasApp: boolean,
): Promise<void> {
  const { createAccessToken } = await import('../token.ts')
  const token = (identity: string) =>
    createAccessToken({ accountSid, key, secret, identity, ttl: DEMO_TTL, relayUrl: relay.url })
  if (hasApp) {
    console.log(
      `\nOpen ${relay.httpUrl}/demo in a browser: two people side by side, each with a network switch.`,
    )
    console.log(`Or ${relay.httpUrl} to sign in as anybody. In terminals instead:`)
  }
  console.log(`
Open two more terminals in this folder and run, one in each:

  npm run chat -- bob --url ${relay.url} --token ${await token('bob')}

  npm run chat -- alice --with bob --url ${relay.url} --token ${await token('alice')}

Then write something. /offline disconnects, /online catches up, /help lists the rest. ^C ends the relay.

A server uses the REST API, Twilio's Conversations v1 (${relay.httpUrl}/v1/docs):

  curl -u ${accountSid}:${authToken} ${relay.httpUrl}/v1/Conversations`)
}

const restoringFrom = (who: string | true | undefined): RestoringFrom =>
  who === undefined ? 'service admins' : who === 'admins' ? 'channel admins' : 'members'

function endOnSignal(relay: Relay, control: Control | null): void {
  let firstAt: number | null = null
  const end = () => {
    const now = Date.now()
    if (firstAt !== null) {
      if (now - firstAt > SAME_SIGNAL) process.exit(1)
      return
    }
    firstAt = now
    control?.close()
    relay.close().then(
      () => process.exit(0),
      (error) => {
        console.error(`confab: ${error instanceof Error ? error.message : String(error)}`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}
