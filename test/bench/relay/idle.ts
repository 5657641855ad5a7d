/** What a connection that says nothing takes. */
import type { Scenario } from '../scenario.ts'
import { compared } from './compared.ts'
import { connectAll } from './over-sockets.ts'
import { withFolder, withServer } from './process.ts'

export const name = 'idle'
export const title = '5,000 idle connections'
export const hasPeers = true
export const how =
  'A hundred conversations of 50 members each, every member connected with their conversation open, everybody quiet: what the relay has more than before the first connection came, after a collection of garbage, for each. Kernel buffers are not in it.'

const make = { conversations: 100, members: 50 }

export const run: Scenario['run'] = (runs, options) => {
  const names = {
    used: ['heap and buffers for each', 'kB'],
    resident: ['resident memory for each', 'kB'],
  } satisfies Parameters<typeof compared>[3]
  return compared(runs, options, title, names as Record<keyof typeof names, [string, string]>, (target) =>
    withFolder((folder) =>
      withServer(target, { folder, make }, async (server) => {
        // what the first ones make for all
        const first = await connectAll(target, { ...server, documents: server.documents.slice(0, 1) }, 1)
        const before = await server.usage(true)
        const sockets = await connectAll(target, server, make.members)
        const after = await server.usage(true)
        for (const socket of [...first, ...sockets].flat()) socket.terminate()
        const each = (more: number) => more / (make.conversations * make.members) / 1000
        return { used: each(after.used - before.used), resident: each(after.resident - before.resident) }
      }),
    ),
  )
}
