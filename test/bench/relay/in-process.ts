/** The engine alone, in this process, on a store: no frames, no sockets. */
import { SERVICE_USER } from '@confab/core'
import { createEngine } from '../../../server/src/commit/create-engine.ts'
import type { Subscriber } from '../../../server/src/engine.ts'
import { openSqliteStore } from '../../../server/src/store/sqlite/sqlite-store.ts'
import {
  Author,
  conversationsInTurn,
  type Figures,
  identityOf,
  type Load,
  SERVICE,
  setUp,
  warmUpOf,
} from './load.ts'

export async function inProcess(load: Load, database: string): Promise<Figures> {
  const store = openSqliteStore(database)
  const engine = createEngine({ store })
  const sids = await setUp(load, (...args) => engine.submit(...args))
  let deliveries = 0
  const readers: Subscriber[][] = []
  for (const [conversation, document] of sids.entries()) {
    const members: Subscriber[] = []
    for (let member = 0; member < load.members; member++) {
      const identity = identityOf(conversation, member)
      const subscriber: Subscriber = {
        principal: { accountSid: 'AC', serviceSid: SERVICE, identity, serviceRoleSid: SERVICE_USER },
        changes: () => void deliveries++,
        absent: () => {},
        replaced: () => {},
        awareness: () => {},
      }
      await engine.open(subscriber, [{ document, pending: false, epoch: 0, commitsId: 0, clock: 0 }])
      members.push(subscriber)
    }
    readers.push(members)
  }
  const authors = sids.map((_, conversation) =>
    Array.from({ length: load.authors }, (_, member) => new Author(identityOf(conversation, member))),
  )
  let count = 0
  const posts = [...conversationsInTurn(load)].map((conversation) => {
    const member = count++ % load.authors
    return {
      conversation,
      member,
      update: (authors[conversation] as Author[])[member]?.post(`Post number ${count} of this run`).update,
    }
  })

  const upload = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += load.together) {
      const together = posts.slice(at, Math.min(to, at + load.together))
      await Promise.all(
        together.map(async ({ conversation, member, update }) => {
          const author = readers[conversation]?.[member] as Subscriber
          const answer = await engine.upload(author, sids[conversation] as string, update as Uint8Array)
          if (answer.kind !== 'taken') throw new Error(JSON.stringify(answer))
        }),
      )
    }
  }
  const warm = warmUpOf(load)
  await upload(0, warm)
  const began = performance.now()
  const before = process.cpuUsage()
  await upload(warm, posts.length)
  const { user, system } = process.cpuUsage(before)
  const milliseconds = performance.now() - began
  if (deliveries === 0) throw new Error('Nothing arrived')
  await engine.drain()
  await store.close()
  return { cpu: user + system, milliseconds }
}
