// Runs the bot: npm start -w examples/bot -- --help
import { parseArgs } from 'node:util'
import { Client, directory } from '@confab/client'
import { Bot } from './bot.ts'

const HELP = `Options:
  --url <url>       the relay (http://127.0.0.1:4455)
  --name <name>     who the bot is, and what it is called by (bot)
  --store <folder>  where it keeps its conversations (.confab/bot)
  --token <token>   access token; without one, the relay is asked for a demo token
  --offline         begin without connecting: what can be answered is, and waits`

function options() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string', default: 'http://127.0.0.1:4455' },
        name: { type: 'string', default: 'bot' },
        store: { type: 'string', default: '.confab/bot' },
        token: { type: 'string' },
        offline: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exit(1)
  }
}

const values = options()
if (values.help) {
  console.log(HELP)
  process.exit()
}
const { url, name } = values

/** `npm start` in the project's folder runs a relay that gives one to anybody on this machine. */
async function demoToken(): Promise<string> {
  const response = await fetch(new URL(`/demo/token?identity=${encodeURIComponent(name)}`, url))
  if (!response.ok) throw new Error(`The relay gives no demo token: ${response.status}`)
  return (await response.json()).token
}

const client = new Client(values.token ?? demoToken, {
  url,
  identity: name,
  storage: directory(values.store),
  logLevel: 'silent',
})
client.on('initFailed', ({ error }) => {
  console.error(`The bot can't begin: ${error?.message}`)
  process.exitCode = 1
})
client.on('connectionStateChanged', (state) => console.log(`${name} is ${state}`))
client.on('operationRefused', ({ operation, error }) =>
  console.log(`Not taken: ${operation.type} (${error.message})`),
)
const bot = new Bot(client, console.log)
// why it can't begin is told above
if (values.offline) client.goOffline().catch(() => {})

async function end(): Promise<void> {
  await bot.idle()
  const { length } = client.getPendingOperations()
  await client.shutdown()
  if (length > 0) console.log(`${length} operations wait for the relay, in ${values.store}`)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end())
