/** A device is killed between what its person writes and the upload of it, and starts again on the same folder. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Conversation, directory, memory } from '@confab/client'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { startRelay, tokenFor } from '../support/relay.ts'
import { forkRelay } from '../support/relay-process.ts'
import { until } from '../support/until.ts'
import { eager, joined } from './kills.ts'
import type { Moment } from './moments.ts'
import type { LastWords } from './mortal-client.ts'

export interface DeviceStep {
  name: string
  moment: Moment
  /** Whether the text was on the device's disk by then. */
  isDurable: boolean
  /** Worth the time of every run. */
  isQuick?: true
}

const ENTRY = '^insert into entries'
const REMOVED = '^delete from entries'
const COMMIT = '^commit$'

export const DEVICE_STEPS: readonly DeviceStep[] = [
  {
    name: 'before the journal is committed',
    moment: { through: [ENTRY, COMMIT], when: 'before' },
    isDurable: false,
  },
  {
    name: 'after the journal is committed',
    moment: { through: [ENTRY, COMMIT], when: 'after' },
    isDurable: true,
    isQuick: true,
  },
  {
    name: 'after the document is written',
    moment: { through: [ENTRY, '^insert into updates', COMMIT], when: 'after' },
    isDurable: true,
    isQuick: true,
  },
  {
    name: 'before it is sent',
    moment: { through: [ENTRY, '^socket write$'], when: 'before' },
    isDurable: true,
  },
  {
    name: 'after it was sent',
    moment: { through: [ENTRY, '^socket write$'], when: 'after' },
    isDurable: true,
    isQuick: true,
  },
  {
    name: 'accepted, the journal entry still there',
    moment: { through: [ENTRY, REMOVED], when: 'before' },
    isDurable: true,
    isQuick: true,
  },
  {
    name: 'accepted, the removal not committed',
    moment: { through: [ENTRY, REMOVED, COMMIT], when: 'before' },
    isDurable: true,
  },
  {
    name: 'accepted, the removal committed',
    moment: { through: [ENTRY, REMOVED, COMMIT], when: 'after' },
    isDurable: true,
  },
]

export interface DeviceReport {
  results: { step: DeviceStep; resolved: boolean; after: number }[]
  /** What is written at each step: by the process that is killed, and by the next one. */
  expected: string[]
  /** Index and body of every message, on the device and on one that has never been there. */
  device: [number, string | null][]
  fresh: [number, string | null][]
  held: number
  failures: readonly string[]
}

export async function killDevice(
  steps: readonly DeviceStep[],
  transport: LastWords['transport'],
): Promise<DeviceReport> {
  const folder = await mkdtemp(join(tmpdir(), 'confab-device-'))
  const relay = await startRelay()
  const clients: Client[] = []
  const clientOn = (storage: ReturnType<typeof memory>) => {
    const client = new Client(() => tokenFor('ada'), {
      url: relay.url,
      identity: 'ada',
      storage,
      transport: eager(transport === 'native' ? native() : yWebsocket()),
      logger: {},
    })
    clients.push(client)
    return client
  }
  const settled = (client: Client) => until(client, () => client.getPendingOperations().length === 0)
  try {
    const first = clientOn(directory(folder))
    const conversation = await first.createConversation({ friendlyName: 'killed' })
    await conversation.join()
    await settled(first)
    await first.shutdown()

    const results: DeviceReport['results'] = []
    const expected: string[] = []
    for (const step of steps) {
      const body = `text ${results.length}`
      const words: LastWords = {
        url: relay.url,
        folder,
        identity: 'ada',
        token: await tokenFor('ada'),
        transport,
        body,
        moment: step.moment,
      }
      const child = forkRelay(join(import.meta.dirname, 'mortal-client.ts'), [JSON.stringify(words)])
      let resolved = false
      child.on('message', () => {
        resolved = true
      })
      const [, signal] = await once(child, 'exit')
      if (signal !== 'SIGKILL') throw new Error(`${step.name}: it was not killed`)
      const again = clientOn(directory(folder))
      const found = await joined(again)
      // decided after whatever was left in the journal
      await found.sendMessage(`after ${body}`)
      await settled(again)
      const bodies = (await bodiesOf(found)).map(([, text]) => text)
      results.push({ step, resolved, after: bodies.filter((text) => text === body).length })
      if (step.isDurable) expected.push(body)
      expected.push(`after ${body}`)
      await again.shutdown()
    }
    const again = clientOn(directory(folder))
    const fresh = clientOn(memory())
    const [device, other] = await Promise.all([joined(again), joined(fresh)])
    await until(fresh, async () => (await other.getMessagesCount()) >= expected.length)
    return {
      results,
      expected,
      device: await bodiesOf(device),
      fresh: await bodiesOf(other),
      held: again.getHeldOperations().length,
      failures: relay.failures,
    }
  } finally {
    await Promise.all(clients.map((client) => client.shutdown()))
    await relay.close()
    await rm(folder, { recursive: true, force: true })
  }
}

const bodiesOf = async (conversation: Conversation) =>
  (await conversation.getMessages(100)).items.map(({ index, body }): [number, string | null] => [index, body])
