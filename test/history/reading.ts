/** Reading a long conversation through, in a process of its own, from a relay in another. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { grown, READER } from '../bench/history/grown.ts'
import { withFolder } from '../bench/relay/process.ts'
import { tokenFor } from '../support/relay.ts'
import { runRelay } from '../support/relay-process.ts'
import type { Read, Reading } from './reading-child.ts'

/** Throws when a message is missing, comes twice or comes out of order. */
export function readThrough(messages: number): Promise<Read> {
  return withFolder(async (folder) => {
    const database = join(folder, 'relay.db')
    copyFileSync((await grown(messages)).database, database)
    const relay = await runRelay({ database })
    try {
      const reading: Reading = { url: relay.url, token: await tokenFor(READER), messages, page: 100 }
      const child = fork(join(import.meta.dirname, 'reading-child.ts'), [JSON.stringify(reading)], {
        execArgv: ['--expose-gc'],
      })
      const gone = once(child, 'exit')
      const read = await Promise.race([
        once(child, 'message').then(([found]) => found as Read),
        gone.then(([code]) => {
          throw new Error(`The reader ended with ${code}`)
        }),
      ])
      await gone
      return read
    } finally {
      await relay.kill()
    }
  })
}
