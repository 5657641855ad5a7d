/**
 * What a command on the same machine asks of a running relay, which holds its database alone. A socket beside the
 * database, for whoever the database belongs to: one line of JSON each way.
 */
import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { ConfabError, errorFromBody, type Json } from '@confab/core'
import type { Relay } from '../relay.ts'

export interface Control {
  close(): void
}

/** Where a command finds a relay's database, and the key of the secrets in it. */
export interface DatabaseOptions {
  database: string
  sealingKey?: string
  /** Where its content lies, if that isn't beside it; null: elsewhere, such as in a bucket. */
  contents?: string | null
}

/** Bytes that a socket's path may have at most, on every system. */
const PATH_LENGTH = 100

export function controlPath(database: string): string {
  const path = `${resolve(database)}-control`
  return process.platform === 'win32' ? join('\\\\.\\pipe', path.replaceAll(/[^\w]/g, '-')) : path
}

/** Null where the path is too long for a socket: then the relay must end before a command can do anything. */
export async function serveControl(
  database: string,
  relay: Pick<Relay, 'administer'>,
): Promise<Control | null> {
  const path = controlPath(database)
  if (Buffer.byteLength(path) > PATH_LENGTH) return null
  // whoever left it there is gone: the database is ours
  rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    socket.on('error', () => {})
    try {
      const { act, fields, by } = JSON.parse(await text(socket))
      const answer = await relay.administer(String(act), fields, String(by))
      socket.end(JSON.stringify({ answer }))
    } catch (error) {
      const { code, message } = error instanceof ConfabError ? error : new ConfabError(20500)
      socket.end(JSON.stringify({ error: { code, message } }))
    }
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(path, () => listening())
  })
  if (process.platform !== 'win32') chmodSync(path, 0o600)
  server.unref()
  return { close: () => void server.close() }
}

/**
 * Does something to a relay's database: asks the relay that has it, or opens it when none runs.
 * @throws ConfabError with the code that is against it
 */
export async function administer<Answer>(
  { database, sealingKey, contents }: DatabaseOptions,
  act: string,
  fields: Json,
): Promise<Answer> {
  if (database === ':memory:') throw new ConfabError(20001, 'this is kept in a database file')
  const by = userName()
  const running = await connected(database)
  if (running) {
    running.end(JSON.stringify({ act, fields, by }))
    const { answer, error } = JSON.parse(await text(running))
    if (error !== undefined) throw errorFromBody(error)
    return answer
  }
  const [
    { Accounts },
    { openSecretBox },
    { openSqliteStore },
    { Administration },
    { RetentionRules },
    { backUp, contentFolder },
  ] = await Promise.all([
    import('../accounts/accounts.ts'),
    import('../accounts/secret-box.ts'),
    import('../store/sqlite/sqlite-store.ts'),
    import('../administration/administration.ts'),
    import('../administration/retention.ts'),
    import('../media/backup.ts'),
  ])
  const store = openSqliteStore(database)
  try {
    const box = () => openSecretBox(database, sealingKey)
    const administration = new Administration({
      store,
      backUp: (file) => {
        const folder = contents === undefined ? contentFolder(database) : contents
        return backUp(file, folder, (copy) => store.backup(copy))
      },
      accounts: new Accounts({ configured: {}, objects: store.objects, box, now: Date.now }),
      retention: new RetentionRules(store.objects),
      // the relay tells them when it is started
      retry: async (tokens) => (await store.webhooks.revive(null, tokens)).length,
      now: Date.now,
    })
    return (await administration.do(act, fields, by)) as Answer
  } finally {
    await store.close()
  }
}

/** Null when no relay runs on this database. */
async function connected(database: string) {
  const socket = connect({ path: controlPath(database), allowHalfOpen: true })
  const isThere = await new Promise<boolean>((there) => {
    socket.once('connect', () => there(true))
    socket.once('error', () => there(false))
  })
  return isThere ? socket : null
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // one that the system has no name for, as in containers
    return String(process.getuid?.() ?? 'unknown')
  }
}
