/**
 * Confab's relay with a SQLite file, every option as it comes but the limits on how much one client may send, in a
 * process as `confab relay` has it.
 */
import '../../../../server/src/cli/memory.ts'
import { join } from 'node:path'
import { createEngine } from '../../../../server/src/commit/create-engine.ts'
import { DEFAULT_SEALING } from '../../../../server/src/commit/options.ts'
import { createRelay } from '../../../../server/src/index.ts'
import { openSqliteStore } from '../../../../server/src/store/sqlite/sqlite-store.ts'
import { ACCOUNT, AUTH_TOKEN, bodyOf, freshId, identityOf, KEY, SECRET, SERVICE, setUp } from '../load.ts'
import { serving, task } from './serve.ts'

/** Messages of one commit of a conversation that is filled. */
const PER_COMMIT = 10

const database = join(task.folder, 'relay.db')
const sealing = task.isSealing === false ? (false as const) : {}
const unlimited = Number.MAX_SAFE_INTEGER

const documents = task.fill ? await fill(task.fill) : []
const relay = await createRelay({
  port: 0,
  database,
  sealing,
  accessKeys: { [KEY]: SECRET },
  accounts: { [ACCOUNT]: { authToken: AUTH_TOKEN } },
  limits: { operationsPerSecond: unlimited, bytesPerSecond: unlimited },
})
if (task.make && !task.fill) documents.push(...(await setUp(task.make, relay.system.submit)))
serving(relay.url, documents)

/** Straight into the store; sealed and compacted as they would be by then. */
async function fill(messages: number): Promise<string[]> {
  const store = openSqliteStore(database)
  const engine = createEngine({ store, sealing })
  const hold = setInterval(() => {}, 1000)
  const sids = await setUp(task.make as { conversations: number; members: number }, (...args) =>
    engine.submit(...args),
  )
  for (let at = 0; at < messages; at += PER_COMMIT) {
    const posts: Promise<unknown>[] = []
    for (const [conversation, sid] of sids.entries()) {
      for (let i = at; i < Math.min(at + PER_COMMIT, messages); i++) {
        const operation = { id: freshId(), type: 'message.post', dateWritten: 0, body: bodyOf(i) } as const
        posts.push(engine.submit(SERVICE, sid, operation, identityOf(conversation, i % 5)))
      }
    }
    await Promise.all(posts)
  }
  while (sealing !== false && (await store.sealable(DEFAULT_SEALING, 1)).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  await engine.drain()
  await store.close()
  clearInterval(hold)
  return sids
}
