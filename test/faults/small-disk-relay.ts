/** A relay in a process of its own whose disk is as large as a message says. */
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

export type Fault = 'SQLITE_FULL' | 'SQLITE_IOERR'

const databases = new Set<DatabaseSync>()
const { exec } = DatabaseSync.prototype
DatabaseSync.prototype.exec = function (sql) {
  databases.add(this)
  exec.call(this, sql)
}

function pages(bound: 'none' | 'as many as there are'): void {
  for (const db of databases) {
    const { page_count } = db.prepare('PRAGMA page_count').get() as { page_count: number }
    db.prepare(`PRAGMA max_page_count = ${bound === 'none' ? 2 ** 31 : page_count}`).get()
  }
}

/** The system's own bound: a write beyond it fails with EFBIG, which SQLite takes for a failing disk. */
function fileSize(bytes: number | 'unlimited'): void {
  const { status, stderr } = spawnSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`])
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

process.on('message', (message: { full?: Fault; room?: true }) => {
  if (message.full === 'SQLITE_FULL') pages('as many as there are')
  else if (message.full === 'SQLITE_IOERR') {
    const { database } = JSON.parse(process.argv[2] as string) as { database: string }
    fileSize(statSync(`${database}-wal`).size)
  } else if (message.room) {
    pages('none')
    fileSize('unlimited')
  } else return
  process.send?.({ type: 'done' })
})

// the disk is full before the relay starts
if (process.argv.includes('full')) {
  const { database } = JSON.parse(process.argv[2] as string) as { database: string }
  fileSize(statSync(`${database}-wal`).size)
}
await import('../support/relay-child.ts')
