/** Which operations wait for attachments, and what becomes of them: the engine's part, without any content. */

import type { MediaRecord, MessagePost } from '@confab/core'
import { describe, expect, it } from 'vitest'
import type { AttachmentWorker } from '../../src/engine/attachments.ts'
import { memory } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'
import { YRelay } from './y-relay.ts'

const MEDIA: MediaRecord = {
  sid: `ME${'1'.repeat(32)}`,
  category: 'media',
  contentType: 'image/png',
  size: 3,
  sha256: 'a'.repeat(64),
}
const post = (body: string, ...media: MediaRecord[]) => ({
  type: 'message.post' as const,
  body,
  ...(media.length > 0 && { media }),
})

/** A client whose attachments are brought by the test. */
async function clientOf(relay: YRelay, identity: string, storage: Storage = memory()) {
  const engine = engineFor(identity, storage, { transport: relay.transport(identity) })
  await engine.ready
  let looks = 0
  const worker: AttachmentWorker = { look: () => void looks++, connectionChanged() {}, heard() {} }
  engine.local.attachments.work(worker)
  await turns()
  return {
    engine,
    looks: () => looks,
    /** As the uploader does when the relay has all of it. */
    brought(sid: string, id: string) {
      engine.local.attachments.ready(id)
      engine.local.conversation(sid)?.sendReady()
    },
  }
}

async function together(engine: TestEngine): Promise<string> {
  const { sid, draft } = engine.newConversation({ friendlyName: 'Trip' })
  await engine.submit(sid, [draft, { type: 'conversation.join' }])
  return sid
}

const shown = async (engine: TestEngine, sid: string) =>
  (await engine.messages(sid, { count: 100, direction: 'backwards' })).items.map(
    ({ record, status }) => `${record.index} ${record.body}${status === 'pending' ? ' …' : ''}`,
  )

describe('a post with attachments', () => {
  it('waits until the relay has them; what is posted later does not, and takes the index before', async () => {
    const relay = new YRelay()
    const { engine, looks, brought } = await clientOf(relay, 'alice')
    const sid = await together(engine)
    const [film] = await engine.submit(sid, [post('film', MEDIA)], { wait: 'durable' })
    expect(looks()).toBeGreaterThan(0)
    expect(await shown(engine, sid)).toEqual(['0 film …'])
    engine.news()
    await engine.submit(sid, [post('text')])
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 text'])
    expect(await shown(engine, sid)).toEqual(['0 text', '1 film …'])
    // told as any pending one that somebody else's comes before
    expect(engine.news().filter((one) => !one.startsWith('conversation'))).toEqual([
      'messageRemoved 0 film',
      'messageAdded 0 text',
      'messageAdded 1 film',
    ])
    brought(sid, film!.id)
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 text', '1 film'])
    expect(engine.pendingOperations()).toEqual([])
  })

  it('is waited for by what changes it, over a reconnection and in another tab', async () => {
    const relay = new YRelay()
    const storage = memory()
    const one = await clientOf(relay, 'alice', storage)
    const sid = await together(one.engine)
    const [film] = await one.engine.submit(sid, [post('film', MEDIA)], { wait: 'durable' })
    const message = `IM${film!.id}`
    await one.engine.submit(sid, [{ type: 'message.edit', sid: message, body: 'the film' }], {
      wait: 'durable',
    })
    const two = await clientOf(relay, 'alice', storage)
    relay.goDown()
    relay.comeUp()
    await turns()
    expect(relay.bodies(sid)).toEqual([])
    for (const { engine } of [one, two]) expect(await shown(engine, sid)).toEqual(['0 the film …'])
    two.brought(sid, film!.id)
    await turns()
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 the film'])
    for (const { engine } of [one, two]) expect(engine.pendingOperations()).toEqual([])
  })

  it('that is removed before it went is withdrawn', async () => {
    const relay = new YRelay()
    const { engine, brought } = await clientOf(relay, 'alice')
    const sid = await together(engine)
    const [film] = await engine.submit(sid, [post('film', MEDIA)], { wait: 'durable' })
    await engine.removeMessage(sid, `IM${film!.id}`)
    brought(sid, film!.id)
    await turns()
    expect(relay.bodies(sid)).toEqual([])
    expect([engine.pendingOperations(), await shown(engine, sid)]).toEqual([[], []])
  })

  it('that is refused because the relay lacks one is brought again, and held when that helps nothing', async () => {
    const relay = new YRelay()
    const { engine, looks, brought } = await clientOf(relay, 'alice')
    const sid = await together(engine)
    const { sid: lacked } = MEDIA
    relay.lacking.add(lacked)
    const [film] = await engine.submit(sid, [post('film', MEDIA)], { wait: 'durable' })
    brought(sid, film!.id)
    const before = looks()
    await turns()
    expect(looks()).toBeGreaterThan(before)
    expect(engine.local.attachments.isReady(film!.id)).toBe(false)
    expect(await shown(engine, sid)).toEqual(['0 film …'])
    relay.lacking.clear()
    brought(sid, film!.id)
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 film'])

    relay.lacking.add(lacked)
    const [other] = await engine.submit(sid, [post('again', MEDIA)], { wait: 'durable' })
    for (let i = 0; i < 3; i++) {
      brought(sid, other!.id)
      await turns()
      expect(engine.heldOperations()).toEqual([])
    }
    brought(sid, other!.id)
    await turns()
    expect(engine.heldOperations().map(({ error }) => error.code)).toEqual([70606])
  })

  it('that was held for its attachments has other ones when it is sent again', async () => {
    const relay = new YRelay()
    const { engine } = await clientOf(relay, 'alice')
    const sid = await together(engine)
    const [film] = await engine.submit(sid, [post('film', MEDIA)], { wait: 'durable' })
    const entry = engine.local.journal.get(film!.id)!
    engine.local.hold(entry, { code: 70608, message: 'Too large' })
    await engine.resend(film!.id)
    const [pending] = engine.pendingOperations()
    const operation = pending!.operation as MessagePost
    expect(operation.media).toEqual([{ ...MEDIA, sid: expect.stringMatching(/^ME[0-9a-f]{32}$/) }])
    expect(operation.media![0]?.sid).not.toBe(MEDIA.sid)
  })
})
