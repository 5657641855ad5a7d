import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { directory } from '../../src/storage/directory.ts'
import { memory } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'confab-offline-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function create(engine: TestEngine, friendlyName: string): Promise<string> {
  await engine.ready
  const { sid, draft } = engine.newConversation({ friendlyName })
  await engine.submit(sid, [draft, { type: 'conversation.join' }])
  return sid
}

const bodies = async (engine: TestEngine, sid: string) =>
  (await engine.messages(sid, { count: 100, direction: 'backwards' })).items.map(
    ({ record, status }) => `${record.index} ${record.body} ${status}`,
  )

describe.each<[string, () => Storage]>([
  ['memory()', () => memory()],
  ['directory(path)', () => directory(mkdtempSync(join(folder, 'store-')))],
])('with no network, on %s', (_, makeStorage) => {
  it('creates, joins, posts, edits, removes, renames, adds, reads and lists, and has it all after a restart', async () => {
    const storage = makeStorage()
    const first = engineFor('alice', storage)
    const sid = await create(first, 'Trip')
    await first.submit(sid, [{ type: 'message.post', body: 'one' }])
    await first.submit(sid, [{ type: 'message.post', body: 'two' }])
    await first.submit(sid, [{ type: 'message.post', body: 'three' }])
    await first.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await first.submit(sid, [
      { type: 'participant.add', binding: { address: '+15550001111', proxyAddress: '+15550002222' } },
    ])
    await first.submit(sid, [{ type: 'conversation.update', friendlyName: 'The trip' }])
    const page = await first.messages(sid, { count: 10, direction: 'backwards' })
    await first.submit(sid, [{ type: 'message.edit', sid: page.items[1]?.record.sid ?? '', body: 'two!' }])
    await first.removeMessage(sid, page.items[0]?.record.sid ?? '')
    expect(await bodies(first, sid)).toEqual(['0 two! pending', '1 three pending'])
    await turns()
    // a page is told before it is read, and what is done between two tasks is told as one
    expect(first.news()).toEqual([
      'initialized',
      'connectionStateChanged connecting',
      'conversationAdded The trip',
      'conversationJoined The trip',
      'participantJoined bob',
      'participantJoined +15550001111',
      'messageAdded 0 one',
      'messageAdded 1 two',
      'messageAdded 2 three',
      'messageRemoved 0 one',
      'messageRemoved 1 two',
      'messageRemoved 2 three',
      'messageAdded 0 two!',
      'messageAdded 1 three',
      'conversationUpdated The trip (lastMessage)',
    ])
    await first.shutdown()

    const second = engineFor('alice', storage)
    await second.ready
    expect(
      second.conversations().map((view) => [view.record.friendlyName, view.status, view.pending]),
    ).toEqual([['The trip', 'joined', true]])
    expect(await bodies(second, sid)).toEqual(['0 two! pending', '1 three pending'])
    expect(
      (await second.participants(sid)).map(({ record }) => record.identity ?? record.binding?.address),
    ).toEqual(['alice', 'bob', '+15550001111'])
    await turns()
    expect(second.news()).toEqual([
      'initialized',
      'conversationAdded The trip',
      'conversationJoined The trip',
      'connectionStateChanged connecting',
    ])
    await second.submit(sid, [{ type: 'conversation.leave' }])
    expect(second.conversations()).toEqual([])
    await turns()
    expect(second.news()).toEqual(['conversationLeft The trip', 'conversationRemoved The trip'])
    await second.shutdown()
  })
})
