/** A relay whose database somebody else uses, nobody may write, isn't there, or is broken. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { createConversation } from '../support/conversation.ts'
import { post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { startRelay } from '../support/relay.ts'

const folders: string[] = []
function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'confab-database-'))
  folders.push(folder)
  return join(folder, 'relay.sqlite')
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A file with a conversation of so many messages, left by a relay that was closed. */
async function written(messages: number): Promise<{ database: string; sid: string; bodies: string[] }> {
  const database = newFile()
  const relay = await startRelay({ database })
  const { sid, creator } = await createConversation(relay.url, ['ada', 'bob'])
  const bodies = Array.from({ length: messages }, (_, i) => `${i} ${'x'.repeat(500)}`)
  await creator.accepted(...bodies.map(post))
  await relay.close()
  return { database, sid, bodies }
}

/** Another program, with its own connection: `sqlite3`, say. */
function elsewhere(database: string, statements: string) {
  const program = `import { DatabaseSync } from 'node:sqlite'
    try { const db = new DatabaseSync(${JSON.stringify(database)}); db.exec(${JSON.stringify(statements)}); console.log('done') }
    catch (error) { console.log(error.message) }
    process.stdin.resume()`
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

describe('a database', () => {
  it('that a running relay has is locked to every other program, and the relay isn’t disturbed by who tries', async () => {
    const { database, sid } = await written(1)
    const relay = await startRelay({ database })
    try {
      await expect(startRelay({ database })).rejects.toMatchObject({
        code: 70502,
        message: expect.stringContaining('in use by another process'),
      })
      const other = elsewhere(database, 'PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE')
      const [said] = await once(other.stdout, 'data')
      expect(String(said)).toMatch(/locked/)
      const ada = await openDocument('native', relay.url, 'ada', sid)
      await ada.accepted(post('undisturbed'))
      other.stdin.end()
      await once(other, 'exit')
      expect(relay.failures).toEqual([])
    } finally {
      await relay.close()
    }
  })

  it('that another program holds is refused at once and plainly, and taken when it was let go', async () => {
    const { database, sid, bodies } = await written(1)
    const other = elsewhere(database, 'BEGIN EXCLUSIVE')
    expect(String((await once(other.stdout, 'data'))[0])).toMatch('done')
    await expect(startRelay({ database })).rejects.toMatchObject({
      code: 70502,
      message: expect.stringContaining('in use by another process'),
    })
    other.stdin.end()
    await once(other, 'exit')
    const relay = await startRelay({ database })
    expect((await openDocument('native', relay.url, 'bob', sid)).bodies).toEqual(bodies)
    await relay.close()
  })

  it('in a folder that isn’t there is refused, and nothing is made', async () => {
    const database = join(newFile(), 'deeper', 'relay.sqlite')
    await expect(startRelay({ database })).rejects.toMatchObject({
      code: 70502,
      message: expect.stringMatching(/relay\.sqlite can't be opened: .*no such file or directory/),
    })
  })

  it('that is no database, or half of one, is refused and left as it is', async () => {
    const noise = newFile()
    writeFileSync(noise, 'no database at all, and long enough to be taken for one\n'.repeat(100))
    const half = (await written(50)).database
    truncateSync(half, 4096 * 3 + 100)
    for (const database of [noise, half]) {
      const before = readFileSync(database)
      await expect(startRelay({ database })).rejects.toMatchObject({
        code: 70502,
        message: expect.stringMatching(
          /can't be opened: (file is not a database|database disk image is malformed)/,
        ),
      })
      expect(readFileSync(database).equals(before)).toBe(true)
    }
  })

  it('with a broken page answers "later" for what lies there, and the rest is served', async () => {
    const { database, sid } = await written(200)
    const other = await openBeside(database)
    breakLog(database)
    const relay = await startRelay({ database })
    try {
      const bob = await openDocument('native', relay.url, 'bob', other)
      expect(bob.bodies).toEqual(['beside'])
      await expect(openDocument('native', relay.url, 'bob', sid)).rejects.toThrow(/closed \(45\d\d/)
      expect(relay.failures.join()).toMatch(/malformed/)
      expect((await fetch(`${relay.httpUrl}/health`)).status).toBe(200)
    } finally {
      await relay.close()
    }
  })

  it('that its relay may not write is refused', async ({ skip }) => {
    // root writes whatever it likes, so it is somebody else who opens it
    const uid = process.getuid?.() === 0 ? 65_534 : process.getuid?.()
    const open = (path: string) =>
      spawnSync(process.execPath, [join(import.meta.dirname, '../crash/open-store.ts'), path], {
        encoding: 'utf8',
        uid,
      })
    if (!open(':memory:').stdout?.startsWith('opened')) skip('nobody may read this checkout')
    const { database } = await written(1)
    chmodSync(database, 0o444)
    chmodSync(join(database, '..'), 0o755)
    expect(open(database).stdout).toMatch(/^70502 the database .* can't be opened: EACCES: permission denied/)
  })
})

async function openBeside(database: string): Promise<string> {
  const relay = await startRelay({ database })
  const { sid, creator } = await createConversation(relay.url, ['ada', 'bob'])
  await creator.accepted(post('beside'))
  await relay.close()
  return sid
}

/** Overwrites the longest entry of the log: it lies in pages of its own. */
function breakLog(database: string): void {
  const db = new DatabaseSync(database)
  const { common } = db.prepare('SELECT common FROM log ORDER BY length(common) DESC LIMIT 1').get() as {
    common: Uint8Array
  }
  const { page_size } = db.prepare('PRAGMA page_size').get() as { page_size: number }
  db.close()
  const bytes = readFileSync(database)
  // the chain of overflow pages: the second one begins within the first two pages' worth of content
  const at = bytes.indexOf(common.subarray(page_size, page_size + 64))
  const page = Math.floor(at / page_size) * page_size
  bytes.writeUInt32BE(0x7fffffff, page)
  writeFileSync(database, bytes)
}
