/**
 * What a command on the same machine asks of a running relay, which holds its database alone. A socket beside the
 * database, for whoever the database belongs to: one line of JSON each way.
 */
import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { ConfabError } from '@confab/core'
import type { Relay } from '../relay.ts'

export interface Control {
  close(): void
}

/** Bytes that a socket's path may have at most, on every system. */
const PATH_LENGTH = 100

export function controlPath(database: string): string {
  const path = `${resolve(database)}-control`
  return process.platform === 'win32' ? join('\\\\.\\pipe', path.replaceAll(/[^\w]/g, '-')) : path
}

/** Null where the path is too long for a socket: then the relay must end for a backup by command. */
export async function serveControl(database: string, relay: Pick<Relay, 'backup'>): Promise<Control | null> {
  const path = controlPath(database)
  if (Buffer.byteLength(path) > PATH_LENGTH) return null
  // whoever left it there is gone: the database is ours
  rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    socket.on('error', () => {})
    try {
      const { backup } = JSON.parse(await text(socket))
      await relay.backup(backup)
      socket.end('{}')
    } catch (error) {
      socket.end(JSON.stringify({ error: (error as Error).message }))
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
 * Asks the relay that has this database to back it up. False: none runs.
 * @throws ConfabError 70502 when it could not
 */
export async function askForBackup(database: string, file: string): Promise<boolean> {
  const socket = connect({ path: controlPath(database), allowHalfOpen: true })
  const isThere = await new Promise<boolean>((there) => {
    socket.once('connect', () => there(true))
    socket.once('error', () => there(false))
  })
  if (!isThere) return false
  socket.end(JSON.stringify({ backup: resolve(file) }))
  const answer = JSON.parse(await text(socket))
  if (answer.error !== undefined) throw new ConfabError(70502, answer.error)
  return true
}
