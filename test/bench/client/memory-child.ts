/** Opens many conversations and lets time pass; says how many bytes of heap they took before and after. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { directory } from '../../../packages/client/src/storage/directory.ts'
import { engineFor, tokenFor, unreachable } from '../../../packages/client/test/engine/harness.ts'
import { VirtualTime } from '../../../packages/client/test/engine/virtual-time.ts'
import { counting } from './counting-storage.ts'
import { longDocument, READER, relayOf, sidOf } from './long-document.ts'

const CONVERSATIONS = 250
const MESSAGES = 300
/** Milliseconds in which the engine looks for documents to close at least once. */
const WHILE = 60_000
/** Documents that it keeps open. */
const KEPT = 50

async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((next) => setImmediate(next))
  }
  return process.memoryUsage().heapUsed
}

const path = mkdtempSync(join(tmpdir(), 'confab-memory-'))
const sids = Array.from({ length: CONVERSATIONS }, (_, number) => sidOf(number))
const token = async () => tokenFor(READER)
const filling = engineFor(READER, directory(path), {
  token,
  transport: relayOf(new Map(sids.map((sid) => [sid, longDocument(sid, MESSAGES)]))),
})
await new Promise<void>((resolve) => {
  const joined = new Set<string>()
  filling.listen((event) => {
    if (event[0] !== 'conversationJoined') return
    joined.add(event[1].sid)
    if (joined.size === CONVERSATIONS) resolve()
  })
})
await filling.shutdown()

const time = new VirtualTime()
const storage = counting(directory(path))
const engine = engineFor(READER, storage, { token, transport: unreachable, platform: time })
await engine.ready
const empty = await heap()
for (const sid of sids) await engine.messages(sid, { count: 30, direction: 'backwards' })
const open = (await heap()) - empty
time.advance(WHILE)
await storage.whenClosed(CONVERSATIONS - KEPT)
const tidied = (await heap()) - empty
console.log(JSON.stringify({ open, tidied, left: storage.opened.length - storage.closed.length }))
await engine.shutdown()
rmSync(path, { recursive: true, force: true })
