/** When client ids pile up in an outbox the relay gives a conversation a new epoch: nobody loses anything by it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Conversation, directory, type Message } from '@confab/client'
import { CLOSE_CODES } from '@confab/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConversation } from '../support/conversation.ts'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { until } from '../support/until.ts'

const IDS = 5

let relay: TestRelay
let folder: string
beforeEach(async () => {
  relay = await startRelay({ limits: { outboxClients: IDS }, timing: { epoch: 1 } })
  folder = await mkdtemp(join(tmpdir(), 'confab-epoch-'))
})
afterEach(async () => {
  await relay.close()
  await rm(folder, { recursive: true, force: true })
})

/** Posts once from each of so many fresh copies of the document, as a page does that is loaded again and again. */
async function reload(identity: string, sid: string, times: number, label: string): Promise<string[]> {
  const bodies: string[] = []
  for (let i = 0; i < times; i++) {
    const page = await openDocument('native', relay.url, identity, sid)
    const body = `${label} ${i}`
    await page.accepted(post(body))
    bodies.push(body)
    await page.peer.close()
  }
  return bodies
}

async function epochOf(sid: string): Promise<number> {
  const peer = await NativePeer.connect(relay.url, 'alice')
  peer.say({ type: 'open', entries: [{ channel: 1, document: sid, pending: false, ...NOTHING }] })
  const { point } = await peer.frame('snapshot')
  await peer.close()
  return point.epoch
}

const bodiesOf = async (conversation: Conversation): Promise<(string | null)[]> =>
  (await conversation.getMessages(100, 0, 'forward')).items.map(({ body }: Message) => body)

describe('a new epoch', () => {
  it('is followed by the SDK, live and after having been offline, with what it had pending', async () => {
    const { sid, creator } = await createConversation(relay.url, ['alice', 'bob', 'carol'])
    await creator.accepted(post('first'))
    const bob = new Client(() => tokenFor('bob'), { url: relay.url, storage: directory(join(folder, 'bob')) })
    const carol = new Client(() => tokenFor('carol'), {
      url: relay.url,
      storage: directory(join(folder, 'carol')),
    })
    try {
      const joined = (client: Client) =>
        new Promise<Conversation>((resolve) => client.on('conversationJoined', resolve))
      const [live, away] = await Promise.all([joined(bob), joined(carol)])
      await carol.goOffline()
      await away.sendMessage('written under the old epoch')
      await away.sendMessage('and another')

      const expected = ['first', ...(await reload('alice', sid, 3 * IDS, 'reload'))]
      expect(await epochOf(sid)).toBeGreaterThan(0)
      await live.sendMessage('under the new one')
      expected.push('under the new one')

      await carol.goOnline()
      await until(carol, () => carol.getPendingOperations().length === 0)
      expected.push('written under the old epoch', 'and another')
      const fresh = await openDocument('native', relay.url, 'bob', sid)
      expect(fresh.bodies).toEqual(expected)
      for (const [client, conversation] of [
        [bob, live],
        [carol, away],
      ] as const) {
        await until(client, async () => (await conversation.getMessagesCount()) >= expected.length)
        expect(await bodiesOf(conversation)).toEqual(expected)
      }
      expect([...bob.getHeldOperations(), ...carol.getHeldOperations()]).toEqual([])
    } finally {
      await Promise.all([bob.shutdown(), carol.shutdown()])
    }
    expect(relay.failures).toEqual([])
  })

  it('ends a stock connection with 4410, and a fresh copy has everything', async () => {
    const { sid, creator } = await createConversation(relay.url, ['alice', 'bob'])
    await creator.accepted(post('first'))
    const stock = await openDocument('yjs', relay.url, 'bob', sid)
    const expected = ['first', ...(await reload('alice', sid, 3 * IDS, 'reload'))]
    expect((await stock.peer.ended()).code).toBe(CLOSE_CODES.replaced)
    const fresh = await openDocument('yjs', relay.url, 'bob', sid)
    expect(fresh.bodies).toEqual(expected)
    await fresh.accepted(post('on we go'))
    expect(relay.failures).toEqual([])
  })
})
