/** Memory after a collection of garbage, in a process of its own: bytes, whatever else the machine does. */
import { expect, it } from 'vitest'
import { connectAll } from './over-sockets.ts'
import { withFolder, withServer } from './process.ts'
import { CONFAB } from './targets.ts'

const MEMBERS = 50
/** Conversations whose members come first: with them comes what the relay makes once for all, its compiled code too. */
const FIRST = 10
const MORE = 20

it('an idle connection takes at most seven kilobytes of the relay', { timeout: 120_000 }, async () => {
  const make = { conversations: FIRST + MORE, members: MEMBERS }
  const each = await withFolder((folder) =>
    withServer(CONFAB, { folder, make }, async (server) => {
      const { url, documents } = server
      const connect = (from: number, to: number) => {
        const target = {
          ...CONFAB,
          connect: (...[url, document, who]: Parameters<typeof CONFAB.connect>) =>
            CONFAB.connect(url, document, { ...who, conversation: who.conversation + from }),
        }
        return connectAll(target, { url, documents: documents.slice(from, to) }, MEMBERS)
      }
      const first = await connect(0, FIRST)
      const before = await server.usage(true)
      const more = await connect(FIRST, FIRST + MORE)
      const after = await server.usage(true)
      for (const socket of [...first, ...more].flat()) socket.terminate()
      return (after.used - before.used) / (MORE * MEMBERS)
    }),
  )
  expect(each).toBeGreaterThan(1000)
  expect(each).toBeLessThan(7000)
})
