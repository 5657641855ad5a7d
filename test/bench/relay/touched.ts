/** What a relay holds of conversations that somebody looked into once. */
import type { RunOptions, Scenario } from '../scenario.ts'
import { compared } from './compared.ts'
import { ServerProcess, withFolder, withServer } from './process.ts'
import type { Target } from './targets.ts'

export const name = 'touched'
export const title = '1,000 conversations × 1,000 messages, touched once'
export const hasPeers = true
export const how =
  'A store with 1,000 conversations of 1,000 messages each; the relay starts, and a client after the other opens one of them, gets it, posts once and goes. Resident memory of the whole process right afterwards, after a collection of garbage.'

const make = { conversations: 1000, members: 2 }
const MESSAGES = 1000

export const run: Scenario['run'] = (runs: number, options: RunOptions) => {
  const names = {
    resident: ['resident memory', 'MB'],
    used: ['heap and buffers', 'MB'],
    open: ['CPU to open one and post', 'µs'],
  } satisfies Parameters<typeof compared>[3]
  const measure = (target: Target) =>
    withFolder(async (folder) => {
      // the store is made by a process of its own
      const maker = await ServerProcess.start(target, { folder, make, fill: MESSAGES })
      const { documents } = maker
      await maker.end()
      return withServer(target, { folder }, async (server) => {
        const before = await server.usage()
        for (const [conversation, document] of documents.entries()) {
          const [reader, author] = await Promise.all(
            [0, 1].map((member) => target.connect(server.url, document, { conversation, member })),
          )
          if (!reader || !author) throw new Error('nobody')
          const arrived = new Promise<void>((resolve) => (reader.arrived = () => resolve()))
          author.post(MESSAGES)
          await arrived
          reader.terminate()
          author.terminate()
        }
        const after = await server.usage(true)
        return {
          resident: after.resident / 1e6,
          used: after.used / 1e6,
          open: (after.cpu - before.cpu) / documents.length,
        }
      })
    })
  return compared(runs, options, title, names as Record<keyof typeof names, [string, string]>, measure)
}
