/** Who joins a long conversation: right after the relay has started, and when it has the document in memory. */
import type { Row, Scenario } from '../scenario.ts'
import { compared } from './compared.ts'
import { ServerProcess, withFolder, withServer } from './process.ts'
import { PEERS, type Target } from './targets.ts'

export const name = 'join'
export const title = 'Joining a long conversation'
export const hasPeers = true
export const how =
  'A relay that has just started, and a first client with nothing: from its connecting until it has the document, and what CPU that took the relay; then the same for a second one. With sealing, which is how Confab comes, a client gets the live part (pages of older messages are fetched when somebody reads that far); without, all messages are in the document, as they are with the peers. Messages are small (their bodies are 32 characters).'

const make = { conversations: 1, members: 2 }

const measure =
  (messages: number, isSealing: boolean) =>
  (target: Target): Promise<Record<'cold' | 'coldCpu' | 'warm' | 'warmCpu' | 'bytes', number>> =>
    withFolder(async (folder) => {
      const maker = await ServerProcess.start(target, { folder, make, fill: messages, isSealing })
      const [document = ''] = maker.documents
      await maker.end()
      return withServer(target, { folder, isSealing }, async (server) => {
        const join = async (member: number) => {
          const before = (await server.usage()).cpu
          const began = performance.now()
          const joined = await target.connect(server.url, document, { conversation: 0, member })
          // y-websocket answers before it has read its store: the rest follows
          const isWhole = () => isSealing || joined.received > messages * 50
          while (!isWhole()) await new Promise<void>((resolve) => (joined.arrived = () => resolve()))
          const milliseconds = performance.now() - began
          const cpu = ((await server.usage()).cpu - before) / 1000
          const { received } = joined
          joined.terminate()
          return { milliseconds, cpu, received }
        }
        const cold = await join(0)
        const warm = await join(1)
        return {
          cold: cold.milliseconds,
          coldCpu: cold.cpu,
          warm: warm.milliseconds,
          warmCpu: warm.cpu,
          bytes: cold.received / 1000,
        }
      })
    })

export const run: Scenario['run'] = async (runs, options) => {
  const names = {
    cold: ['the first joins', 'ms'],
    coldCpu: ['… CPU', 'ms'],
    warm: ['the second', 'ms'],
    warmCpu: ['… CPU', 'ms'],
    bytes: ['received', 'kB'],
  } as Record<'cold' | 'coldCpu' | 'warm' | 'warmCpu' | 'bytes', [string, string]>
  const rows: Row[] = []
  for (const messages of [10_000, 100_000]) {
    const count = messages.toLocaleString('en')
    rows.push(
      ...(await compared(runs, options, `${count} messages, sealed`, names, measure(messages, true), [])),
      ...(await compared(
        runs,
        options,
        `${count} messages, all live`,
        names,
        measure(messages, false),
        PEERS.filter(({ hasStore }) => hasStore),
      )),
    )
  }
  return rows
}
