/**
 * The package in a JavaScript that has little more than React Native's Hermes has: the language without what Hermes
 * lacks of it, timers, a WebSocket, TextEncoder, no storage. What docs/switching.md says to import stands beside it.
 */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client, memory } from '../packages/client/src/index.ts'
import { bundleForBrowsers } from '../scripts/build/javascript.ts'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const dist = mkdtempSync(join(tmpdir(), 'confab-native-'))
let relay: Relay
let app: string

beforeAll(async () => {
  const source = join(import.meta.dirname, '../packages/client')
  await bundleForBrowsers({ source, entry: 'src/index.ts', dist })
  relay = await createRelay({ port: 0, database: ':memory:', accessKeys: { [ACCESS.key]: ACCESS.secret } })
  app = await bundled(`${POLYFILLS.map((name) => `import 'core-js/actual/${name}.js'\n`).join('')}
    export { Client } from '${join(dist, 'browser.js')}'`)
})
afterAll(async () => {
  await relay.close()
  rmSync(dist, { recursive: true, force: true })
})

/** The imports that docs/switching.md names. */
const POLYFILLS = ['string/is-well-formed', 'string/to-well-formed', 'structured-clone']

async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    format: 'iife',
    globalName: 'app',
    target: 'es2020',
    write: false,
  })
  return outputFiles[0]!.text
}

/** Runs an app in a thread of its own, which has lost what Hermes doesn't have. Gives what the app made. */
async function run(scenario: string, { random }: { random: boolean }): Promise<unknown> {
  const tokens = await Promise.all(['ada', 'bob'].map((identity) => tokenOf(identity)))
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
    ${random ? '' : 'delete globalThis.crypto'}
    delete globalThis.structuredClone
    delete String.prototype.isWellFormed
    delete String.prototype.toWellFormed
    // a function's parameters hide them, given nothing
    const { Client } = ((${ABSENT}) => { ${app}
      return app })()
    const start = (token) => new Client(token, { logLevel: 'silent' })
    const scenario = async (ada, bob) => {${scenario}}
    scenario(...${JSON.stringify(tokens)}).then((made) => parentPort.postMessage(made))`,
    { eval: true },
  )
  try {
    const [made] = await Promise.race([
      once(worker, 'message'),
      once(worker, 'error').then(([error]) => Promise.reject(error)),
    ])
    return made
  } finally {
    await worker.terminate()
  }
}

/** What Node has and React Native hasn't. Not deleted, because Node's own WebSocket is made of some of it. */
const ABSENT =
  'Blob, BroadcastChannel, Buffer, DOMException, Event, EventTarget, MessageChannel, URL, navigator, process, require'

const tokenOf = (identity: string) =>
  createAccessToken({ ...ACCESS, identity, serviceSid: 'IS1', relayUrl: relay.url })

test('without random bytes a client fails to start, and says what to install', async () => {
  const made = await run(
    `const client = start(ada)
    const failed = new Promise((resolve) => client.on('initFailed', resolve))
    const refused = await client.getSubscribedConversations().catch(({ code, status }) => ({ code, status }))
    return { refused, told: (await failed).error }`,
    { random: false },
  )
  expect(made).toMatchObject({
    refused: { code: 70702, status: 501 },
    told: { errorCode: 70702, message: expect.stringContaining('react-native-get-random-values') },
  })
})

test('with the imports that the docs name it works, offline and with a relay', async () => {
  const made = await run(
    `const client = start(ada)
    const conversation = await (await client.createConversation({ friendlyName: 'Tea' })).join()
    await conversation.sendMessage('from a phone')
    const other = start(bob)
    const joined = new Promise((resolve) => other.on('conversationJoined', resolve))
    await conversation.add('bob')
    const { items } = await (await joined).getMessages()
    await Promise.all([client.shutdown(), other.shutdown()])
    return items.map(({ body }) => body)`,
    { random: true },
  )
  expect(made).toEqual(['from a phone'])
  // what Node's own WebSocket needs, and Hermes lacks
  expect(app).not.toMatch(/withResolvers|toSorted/)
})

test('a picture that came is had at the relay; one to send is refused before anything of it is shown, and text goes on', async () => {
  const cat = await Client.create(await tokenOf('cat'), {
    url: relay.url,
    storage: memory(),
    logLevel: 'silent',
  })
  const album = await (await cat.createConversation({ friendlyName: 'Album' })).join()
  await album.add('ada')
  await album.sendMessage({ contentType: 'text/plain', filename: 'note.txt', media: 'from a desk' })
  const made = await run(
    `const client = start(ada)
    const album = await new Promise((resolve) =>
      client.on('conversationJoined', (one) => one.friendlyName === 'Album' && resolve(one)))
    const [message] = (await album.getMessages()).items
    const [media] = message.attachedMedia
    const url = await media.getContentTemporaryUrl()
    const refused = await album.sendMessage({ contentType: 'text/plain', media: 'no' }).catch(({ code }) => code)
    await album.sendMessage('text goes')
    const { items } = await album.getMessages()
    const waiting = client.getPendingOperations().length + client.getHeldOperations().length
    await client.shutdown()
    return { name: media.filename, url, refused, bodies: items.map(({ body }) => body), waiting }`,
    { random: true },
  )
  await cat.shutdown()
  const { url, ...rest } = made as { url: string }
  expect(await (await fetch(url)).text()).toBe('from a desk')
  expect(rest).toEqual({ name: 'note.txt', refused: 70702, bodies: [null, 'text goes'], waiting: 0 })
})

test('the docs name these imports', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/switching.md'), 'utf8')
  for (const name of POLYFILLS) expect(page).toContain(`core-js/actual/${name}'`)
})
