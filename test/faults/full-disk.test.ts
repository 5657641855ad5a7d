/** The relay's disk is full, or fails, for a while. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, memory } from '@confab/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { eager, joined } from '../crash/kills.ts'
import { createConversation } from '../support/conversation.ts'
import { post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { tokenFor } from '../support/relay.ts'
import { forkRelay, type RelayProcess, relayIn } from '../support/relay-process.ts'
import { until } from '../support/until.ts'
import type { Fault } from './small-disk-relay.ts'

const LARGE = 'x'.repeat(20_000)
const canLimit = spawnSync('prlimit', ['--version']).status === 0
if (!canLimit) {
  if (process.env.CONFAB_REQUIRE_SERVERS === '1') throw new Error('prlimit (util-linux) is missing')
  console.warn('SKIPPED: a failing disk, because there is no prlimit (util-linux)')
}
const faults: Fault[] = canLimit ? ['SQLITE_FULL', 'SQLITE_IOERR'] : ['SQLITE_FULL']

describe.each(faults)('while the disk of the relay says %s', (fault) => {
  let folder: string
  let child: ChildProcess
  let relay: RelayProcess
  let complaints = ''
  const clients: Client[] = []

  const start = async (port = 0, ...how: 'full'[]) => {
    const options = JSON.stringify({ database: join(folder, 'relay.sqlite'), port })
    child = forkRelay(join(import.meta.dirname, 'small-disk-relay.ts'), [options, ...how], 'pipe')
    child.stderr?.on('data', (text) => {
      complaints += text
    })
    relay = await relayIn(child)
  }
  const tell = async (message: object) => {
    const done = once(child, 'message')
    child.send(message)
    await done
  }
  beforeEach(async () => {
    complaints = ''
    folder = await mkdtemp(join(tmpdir(), 'confab-full-'))
    await start()
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.shutdown()))
    await relay.kill()
    await rm(folder, { recursive: true, force: true })
  })

  it('authors are told to come back later, readers read on, and nothing that was acknowledged is lost', async () => {
    const { sid, creator: ada } = await createConversation(relay.url, ['ada', 'bob'])
    await ada.accepted(post('before'))
    await tell({ full: fault })
    const large = post(LARGE)
    ada.upload(ada.write(large))
    await ada.peer.when(() => ada.nacks.includes(70502), 'a nack')
    // a stock author can only be sent away for a while
    const stock = await openDocument('yjs', relay.url, 'bob', sid, false)
    stock.upload(stock.write(post(LARGE)))
    const { code } = await stock.peer.ended()
    expect(code).toBeGreaterThanOrEqual(4500)
    expect(code).toBeLessThan(4600)
    for (const endpoint of ['native', 'yjs'] as const)
      expect((await openDocument(endpoint, relay.url, 'bob', sid)).bodies).toEqual(['before'])
    expect((await fetch(`${relay.url.replace('ws', 'http')}/health`)).status).toBe(200)
    expect(complaints).toMatch(/could not be stored/)
    expect(complaints).toMatch(fault === 'SQLITE_FULL' ? /full/ : /disk I\/O error/)

    await tell({ room: true })
    // again, as a device does
    ada.upload(Y.encodeStateAsUpdate(ada.doc))
    expect((await ada.outcomeOf(large.id)).verdict).toBe('accepted')
    await ada.accepted(post('after'))
    const { port } = relay
    await relay.kill()
    await start(port)
    const fresh = await openDocument('native', relay.url, 'bob', sid)
    expect(fresh.bodies).toEqual(['before', LARGE, 'after'])
  })

  // a bound on the pages of a database isn't there before it is opened
  it.runIf(fault === 'SQLITE_IOERR')(
    'a relay that crashed starts all the same, everything acknowledged is read, and is there when there is room again',
    async () => {
      const { sid, creator: ada } = await createConversation(relay.url, ['ada', 'bob'])
      await ada.accepted(post('before'))
      await ada.accepted(post(LARGE))
      const { port } = relay
      await relay.kill()
      await start(port, 'full')
      const reader = () => openDocument('native', relay.url, 'bob', sid)
      expect((await reader()).bodies).toEqual(['before', LARGE])
      const late = post('late')
      const again = await openDocument('native', relay.url, 'ada', sid)
      again.upload(again.write(late))
      await again.peer.when(() => again.nacks.includes(70502), 'a nack')
      // a crash once more, before there is room
      await relay.kill()
      await start(port, 'full')
      expect((await reader()).bodies).toEqual(['before', LARGE])
      await tell({ room: true })
      const back = await openDocument('native', relay.url, 'ada', sid)
      await back.accepted(post('after'))
      await relay.kill()
      await start(port)
      expect((await reader()).bodies).toEqual(['before', LARGE, 'after'])
    },
  )

  const transport = fault === 'SQLITE_FULL' ? native : yWebsocket
  it(`what the SDK wrote over ${transport.name}() waits, and is posted once when there is room`, async () => {
    const clientOf = (identity: string) => {
      const client = new Client(() => tokenFor(identity), {
        url: relay.url,
        identity,
        storage: memory(),
        transport: eager(transport()),
        logger: {},
      })
      clients.push(client)
      return client
    }
    const ada = clientOf('ada')
    const conversation = await ada.createConversation({ friendlyName: 'full' })
    await conversation.join()
    await conversation.sendMessage('before')
    await until(ada, () => ada.getPendingOperations().length === 0)
    await tell({ full: fault })
    await conversation.sendMessage(LARGE)
    await conversation.sendMessage('small')
    expect(ada.getHeldOperations()).toEqual([])
    const wasStored = ada.getPendingOperations().length === 0
    expect(wasStored).toBe(false)
    await tell({ room: true })
    await until(ada, () => ada.getPendingOperations().length === 0)
    const fresh = clientOf('ada')
    const seen = await joined(fresh)
    const { items } = await seen.getMessages(10)
    expect(items.map(({ index, body }) => [index, body])).toEqual([
      [0, 'before'],
      [1, LARGE],
      [2, 'small'],
    ])
  })
})
