/** A thousand quiet conversations: what a start and a resume leave alone. */
import { Client } from '@confab/client'
import { decodeDown, decodeUp, NO_BOUNDS } from '@confab/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memory } from '../../../packages/client/src/storage/memory.ts'
import { native } from '../../../packages/client/src/transport/native.ts'
import type { TransportFactory } from '../../../packages/client/src/transport/transport.ts'
import { engineFor, unreachable } from '../../../packages/client/test/engine/harness.ts'
import { type TestRelay, tokenFor } from '../../support/relay.ts'
import { counting } from './counting-storage.ts'
import { mistakeIn, readList, takeIn } from './device.ts'
import { READER, relayWith } from './stage.ts'

const amount = { conversations: 1000, messages: 3 }

describe('a device with a thousand quiet conversations', () => {
  const device = memory()
  let relay: TestRelay
  let token: string
  beforeAll(async () => {
    relay = await relayWith(amount)
    token = await tokenFor(READER)
    await (await takeIn({ url: relay.url, token }, device, amount)).shutdown()
  }, 60_000)
  afterAll(() => relay?.close())

  test('lists them offline, and tells of each, without opening a document', async () => {
    const storage = counting(device)
    const client = new Client(token, { url: relay.url, storage, transport: unreachable as never })
    const joined = new Set<string>()
    const all = new Promise<void>((resolve) => {
      client.on('conversationJoined', ({ sid }) => {
        joined.add(sid)
        if (joined.size === amount.conversations) resolve()
      })
    })
    expect(mistakeIn(await readList(client), amount.conversations, null)).toBeNull()
    await all
    await client.shutdown()
    expect(storage.opened).toEqual([])
  })

  test('resumes them in one round trip, without opening a document', async () => {
    const storage = counting(device)
    const up: string[][] = []
    const down: string[] = []
    class ListeningSocket extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols)
        this.addEventListener('message', ({ data }) => {
          down.push(...decodeDown(new Uint8Array(data as ArrayBuffer)).map(({ type }) => type))
        })
      }
      override send(data: Parameters<WebSocket['send']>[0]): void {
        up.push(decodeUp(data as Uint8Array, NO_BOUNDS).map(({ type }) => type))
        super.send(data)
      }
    }
    const awaited = new Set<string>()
    let allCurrent = () => {}
    const isCurrent = new Promise<void>((resolve) => (allCurrent = resolve))
    const transport: TransportFactory = (options) => {
      const made = native()({ ...options, WebSocket: ListeningSocket as typeof WebSocket })
      const { open, start } = made
      made.open = (requests) => {
        for (const { document } of requests) awaited.add(document)
        open.call(made, requests)
      }
      made.start = (events) => {
        const current = (document: string) => {
          events.current(document)
          awaited.delete(document)
          if (awaited.size === 0) allCurrent()
        }
        start.call(made, { ...events, current })
      }
      return made
    }
    const engine = engineFor(READER, storage, { url: relay.url, token: async () => token, transport })
    await isCurrent
    expect(engine.conversations()).toHaveLength(amount.conversations)
    await engine.shutdown()
    expect(storage.opened).toEqual([])
    // one question behind the greeting, answered by nothing that changes a document; presence is told by the way
    expect(up).toEqual([['hello'], ['open']])
    expect(new Set(down.filter((type) => type !== 'awareness'))).toEqual(new Set(['welcome', 'opened']))
  })
})
