/** What stands around an example that is a page: the page built, a relay that serves it, and its conversation. */
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client, type Conversation, directory } from '@confab/client'
import { createAccessToken, createRelay } from '@confab/relay'
import { build } from 'esbuild'

export interface PageHost {
  /** Where the page is. */
  url: string
  /** The conversation that the page is about, made at the first start. */
  conversation: Conversation
  tokenFor(identity: string): Promise<string>
}

const HELP = `Options:
  --port <port>    of the page and its relay; 0 picks a free one (4456)
  --data <folder>  where everything is kept (.confab/<name of the example>)`

/**
 * Takes options from the command line, and runs until it is told to end. What keeps it from beginning is said, and ends
 * the process.
 * @param folder of the example: `index.html`, `page.ts`, and what else is to be served in `public`
 * @param name of the conversation, and of the folder that everything is kept in
 */
export async function hostPage(folder: string, name: string): Promise<PageHost> {
  try {
    return await host(folder, name)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exit(1)
  }
}

async function host(folder: string, name: string): Promise<PageHost> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4456' },
      data: { type: 'string', default: `.confab/${name}` },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    process.exit()
  }
  mkdirSync(values.data, { recursive: true })
  const app = join(values.data, 'page')
  await buildPage(folder, app)
  const secret = secretIn(join(values.data, 'secret'))
  const tokenFor = (identity: string) =>
    createAccessToken({ accountSid: 'ACexample', key: 'SKexample', secret, identity, ttl: 24 * 3600 })
  const relay = await createRelay({
    port: Number(values.port),
    database: join(values.data, 'relay.sqlite'),
    accessKeys: { SKexample: secret },
    app,
    demoTokens: tokenFor,
  })
  const client = new Client(() => tokenFor('host'), {
    url: relay.url,
    storage: directory(join(values.data, 'host')),
  })
  const end = async () => {
    await client.shutdown()
    await relay.close()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end())
  const conversation =
    (await client.getConversationByUniqueName(name).catch(() => null)) ?? (await made(client, name))
  return { url: relay.httpUrl, conversation, tokenFor }
}

async function made(client: Client, name: string): Promise<Conversation> {
  const conversation = await client.createConversation({ uniqueName: name, friendlyName: name })
  return conversation.join()
}

async function buildPage(folder: string, app: string): Promise<void> {
  rmSync(app, { recursive: true, force: true })
  cpSync(join(folder, 'index.html'), join(app, 'index.html'))
  if (existsSync(join(folder, 'public'))) cpSync(join(folder, 'public'), app, { recursive: true })
  await build({
    entryPoints: [join(folder, 'page.ts')],
    outfile: join(app, 'page.js'),
    // with the parts that are loaded when they are needed: one file, for a service worker to keep
    bundle: true,
    format: 'esm',
    minify: true,
    platform: 'browser',
    logLevel: 'warning',
  })
}

/** Signs the tokens of this machine's people; made once, so that they stay who they are. */
function secretIn(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}
