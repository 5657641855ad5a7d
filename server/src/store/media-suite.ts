/** What every store must do for attachments, as tests. An implementation's own test calls this with a way to open one. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { StoredMedia } from './media.ts'
import { type DocumentCommit, NO_HISTORY, type Store } from './store.ts'

const SERVICE = `IS${'1'.repeat(32)}`
const OTHER_SERVICE = `IS${'2'.repeat(32)}`
const CONVERSATION = `CH${'1'.repeat(32)}`
const MESSAGE = `IM${'1'.repeat(32)}`
const sid = (n: number): string => `ME${n.toString(16).padStart(32, '0')}`
const hash = (n: number): string => n.toString(16).padStart(64, '0')

const media = (n: number, over: Partial<StoredMedia> = {}): StoredMedia => ({
  serviceSid: SERVICE,
  sid: sid(n),
  identity: 'ada',
  conversationSid: CONVERSATION,
  messageSid: null,
  category: 'media',
  filename: 'a.png',
  contentType: 'image/png',
  size: 100,
  hash: hash(n),
  state: 'uploading',
  refusal: null,
  upload: `upload-${n}`,
  dateCreated: 1000 + n,
  dateUpdated: 1000 + n,
  ...over,
})

/** @param key of the document in the store; 0: it is its first commit */
const commit = (document: string, over: Partial<DocumentCommit> = {}, key = 0): DocumentCommit => {
  const seq = key === 0 ? 0 : 1
  return {
    head: {
      key,
      serviceSid: SERVICE,
      document,
      kind: document.startsWith('CH') ? 'conversation' : 'user',
      epoch: 1,
      seq: seq + 1,
      roots: [{ root: 'commits', client: 4_000_000_000, clock: seq + 1, base: 0, run: 7 }],
      highestIndex: -1,
      messageCount: 0,
      history: { ...NO_HISTORY },
    },
    expectedSeq: seq,
    entry: { seq, update: Uint8Array.from([seq]), private: [] },
    mapItems: [],
    messages: { put: [], delete: [] },
    reads: { put: [], delete: [] },
    outboxClients: [],
    decided: [],
    ...over,
  }
}

export function mediaSuite(name: string, open: () => Promise<Store>): void {
  describe(`${name}: a store of attachments`, () => {
    let store: Store
    const find = (n: number) => store.media.find(SERVICE, sid(n))
    const claim = (...numbers: number[]) =>
      commit(CONVERSATION, { media: numbers.map((n) => ({ sid: sid(n), messageSid: MESSAGE })) })

    beforeEach(async () => {
      store = await open()
      return () => store.close()
    })

    it('gives back what was put, by its sid in its service and by its upload', async () => {
      const whole = media(1, { state: 'refused', refusal: { code: 70301, message: 'no' }, filename: null })
      await store.media.put(whole)
      expect(await find(1)).toEqual(whole)
      expect(await store.media.ofUpload('upload-1')).toEqual(whole)
      expect(await store.media.find(OTHER_SERVICE, sid(1))).toBe(null)
      expect(await store.media.ofUpload('upload-2')).toBe(null)
    })

    it('lets an upload go on until it is whole, and become whole once', async () => {
      await store.media.put(media(1))
      expect(await store.media.advance('upload-1', 5000)).toBe(true)
      expect((await find(1))?.dateUpdated).toBe(5000)
      expect(await store.media.complete('upload-1', 'ready', 6000)).toBe(true)
      expect(await find(1)).toMatchObject({ state: 'ready', dateUpdated: 6000 })
      expect(await store.media.complete('upload-1', 'ready', 7000)).toBe(false)
      expect(await store.media.advance('upload-1', 7000)).toBe(false)
      expect(await store.media.advance('upload-2', 7000)).toBe(false)
    })

    it('makes nothing whole that was withdrawn or begun anew', async () => {
      await store.media.put(media(1))
      await store.media.remove(media(1))
      expect(await store.media.complete('upload-1', 'ready', 1)).toBe(false)
      await store.media.put(media(2))
      await store.media.put(media(2, { upload: 'another' }))
      expect(await store.media.complete('upload-2', 'ready', 1)).toBe(false)
      expect(await store.media.remove(media(2)), 'by the upload that it had before').toBe(false)
      expect(await store.media.complete('another', 'ready', 1)).toBe(true)
    })

    it('keeps what the app says of the content that it was asked about', async () => {
      await store.media.put(media(1, { state: 'checking' }))
      await store.media.put(media(2, { state: 'checking' }))
      expect((await store.media.checking()).map((one) => one.sid).sort()).toEqual([sid(1), sid(2)])
      const refusal = { code: 70301, message: 'a virus' }
      expect(await store.media.judge({ ...media(1), hash: hash(9) }, refusal, 1)).toBe(false)
      expect(await store.media.judge(media(1), refusal, 2)).toBe(true)
      expect(await store.media.judge(media(2), null, 3)).toBe(true)
      expect(await find(1)).toMatchObject({ state: 'refused', refusal, dateUpdated: 2 })
      expect(await find(2)).toMatchObject({ state: 'ready', refusal: null, dateUpdated: 3 })
      expect(await store.media.judge(media(2), refusal, 4)).toBe(false)
      expect(await store.media.checking()).toEqual([])
    })

    it('gives an attachment to the message of its conversation that is posted with it, and to no other', async () => {
      await store.media.put(media(1, { state: 'ready' }))
      await store.media.put(media(2, { state: 'ready', conversationSid: null }))
      await store.media.put(media(3, { state: 'ready', conversationSid: `CH${'2'.repeat(32)}` }))
      await store.commit([claim(1, 2, 3)])
      expect(await find(1)).toMatchObject({ messageSid: MESSAGE, conversationSid: CONVERSATION })
      expect(await find(2)).toMatchObject({ messageSid: MESSAGE, conversationSid: CONVERSATION })
      expect((await find(3))?.messageSid).toBe(null)
      expect(await store.media.remove(media(1)), 'a message has it').toBe(false)
      await store.media.put(media(1, { hash: hash(7) }))
      expect((await find(1))?.hash, 'nothing is put in its place').toBe(hash(1))
    })

    it('lets an attachment be for one conversation, the first that asks', async () => {
      const other = `CH${'2'.repeat(32)}`
      await store.media.put(media(1, { state: 'ready', conversationSid: null }))
      expect(await store.media.assign(SERVICE, sid(1), CONVERSATION)).toBe(true)
      expect(await store.media.assign(SERVICE, sid(1), CONVERSATION)).toBe(true)
      expect(await store.media.assign(SERVICE, sid(1), other)).toBe(false)
      expect(await store.media.assign(OTHER_SERVICE, sid(1), CONVERSATION)).toBe(false)
      await store.commit([claim(1)])
      expect(await store.media.assign(SERVICE, sid(1), CONVERSATION), 'a message has it').toBe(false)
    })

    it('lets attachments go with their message', async () => {
      await store.media.put(media(1, { state: 'ready' }))
      await store.media.put(media(2, { state: 'ready' }))
      const [key] = await store.commit([claim(1)])
      await store.commit([commit(CONVERSATION, { messages: { put: [], delete: [MESSAGE] } }, key)])
      expect(await find(1)).toBe(null)
      expect(await store.media.released(10)).toEqual([hash(1)])
      expect((await find(2))?.messageSid).toBe(null)
    })

    it('removes what nothing happens to, and nothing that a message has, the oldest first', async () => {
      for (const n of [1, 2, 3, 4]) await store.media.put(media(n))
      for (const n of [5, 6]) await store.media.put(media(n, { state: 'ready' }))
      await store.media.put(media(7, { state: 'refused' }))
      await store.commit([claim(5)])
      await store.media.advance('upload-2', 9000)
      expect(await store.media.expire(1004, 'uploading', 1)).toBe(1)
      expect(await find(1)).toBe(null)
      expect(await store.media.expire(1004, 'uploading', 10)).toBe(1)
      expect(await find(3)).toBe(null)
      expect([(await find(2))?.sid, (await find(4))?.sid]).toEqual([sid(2), sid(4)])
      expect(await store.media.expire(2000, 'whole', 10)).toBe(2)
      expect([(await find(5))?.sid, await find(6), await find(7)]).toEqual([sid(5), null, null])
    })

    it('counts what somebody has put there that no message has', async () => {
      await store.media.put(media(1, { state: 'ready' }))
      await store.media.put(media(2))
      await store.media.put(media(3))
      await store.media.put(media(4, { identity: 'ben' }))
      await store.media.put(media(5, { serviceSid: OTHER_SERVICE }))
      await store.commit([claim(1)])
      expect(await store.media.unclaimed(SERVICE, 'ada')).toEqual({ count: 2, bytes: 200 })
      expect(await store.media.unclaimed(SERVICE, 'cleo')).toEqual({ count: 0, bytes: 0 })
    })

    it('counts each content once, for as long as anything whole has it', async () => {
      const nothing = { count: 0, bytes: 0, uploads: 0, uploadBytes: 0 }
      expect(await store.media.usage()).toEqual(nothing)
      const same = { hash: hash(1), state: 'ready' as const }
      await store.media.put(media(1, same))
      await store.media.put(media(2, { ...same, upload: null }))
      await store.media.put(media(3, { state: 'checking', size: 30 }))
      await store.media.put(media(4, { size: 7 }))
      expect(await store.media.usage()).toEqual({ count: 2, bytes: 130, uploads: 1, uploadBytes: 7 })
      await store.media.complete('upload-4', 'ready', 1)
      expect(await store.media.usage()).toEqual({ count: 3, bytes: 137, uploads: 0, uploadBytes: 0 })
      await store.media.remove(media(1))
      expect(await store.media.hasContent(hash(1))).toBe(true)
      expect((await store.media.usage()).count).toBe(3)
      await store.media.remove(media(2, { upload: null }))
      expect(await store.media.hasContent(hash(1))).toBe(false)
      await store.media.judge(media(3), { code: 70301, message: 'no' }, 1)
      expect(await store.media.usage()).toEqual({ ...nothing, count: 1, bytes: 7 })
      await store.media.put(media(4, { state: 'ready', hash: hash(5), size: 8 }))
      expect(await store.media.hasContent(hash(4))).toBe(false)
      expect(await store.media.usage()).toEqual({ ...nothing, count: 1, bytes: 8 })
    })

    it('says which content may be nobody’s any more, until it was looked at', async () => {
      await store.media.noteContent(hash(1))
      await store.media.noteContent(hash(1))
      await store.media.put(media(2, { state: 'ready' }))
      await store.media.put(media(3, { state: 'ready' }))
      await store.media.put(media(4, { state: 'checking' }))
      await store.media.remove(media(2))
      await store.media.put(media(3, { state: 'ready', hash: hash(33) }))
      await store.media.judge(media(4), { code: 70301, message: 'no' }, 1)
      const released = async () => (await store.media.released(10)).sort()
      expect(await released()).toEqual([1, 2, 3, 4].map(hash))
      expect(await store.media.released(2)).toHaveLength(2)
      for (const n of [1, 2, 3]) await store.media.settled(hash(n))
      expect(await released()).toEqual([hash(4)])
    })

    it('says which uploads are over, however they ended, until their bytes are gone', async () => {
      for (const n of [1, 2, 3, 4, 5, 6]) await store.media.put(media(n))
      await store.media.complete('upload-1', 'ready', 1)
      await store.media.remove(media(2))
      await store.media.put(media(3, { upload: 'another' }))
      await store.media.put(media(4))
      await store.media.expire(1006, 'uploading', 3)
      const ended = async () => (await store.media.ended(10)).sort()
      expect(await ended()).toEqual(['another', 'upload-1', 'upload-2', 'upload-3', 'upload-4', 'upload-5'])
      expect(await store.media.ended(2)).toHaveLength(2)
      await store.media.cleared('upload-1')
      await store.media.cleared('another')
      expect(await ended()).toEqual(['upload-2', 'upload-3', 'upload-4', 'upload-5'])
    })

    it('lets go of all that is for a conversation with it', async () => {
      await store.media.put(media(1, { state: 'ready' }))
      await store.media.put(media(2))
      await store.media.put(media(3, { conversationSid: null }))
      const [key] = await store.commit([claim(1)])
      await store.commit([commit(CONVERSATION, { deleted: true }, key)])
      expect([await find(1), await find(2), (await find(3))?.sid]).toEqual([null, null, sid(3)])
    })

    it('lets go of what somebody put there for messages that they never posted, with them', async () => {
      await store.media.put(media(1, { state: 'ready' }))
      await store.media.put(media(2, { state: 'ready' }))
      await store.media.put(media(3, { identity: 'ben' }))
      await store.commit([claim(1)])
      await store.commit([commit('user/ada', { deleted: true })])
      expect([(await find(1))?.sid, await find(2), (await find(3))?.sid]).toEqual([sid(1), null, sid(3)])
    })
  })
}
