/** Pages of messages that a relay has accepted. */
import type { Conversation, Message, Paginator } from '@confab/client'
import { describe, expect, test } from 'vitest'
import { connected, relayOf, shown, together } from './stage.ts'

const indices = ({ items }: Paginator<Message>) => items.map(({ index }) => index)
const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at)

async function withMessages(count: number): Promise<Conversation> {
  const relay = await relayOf()
  const [conversation] = await together(await connected('alice', relay))
  await Promise.all(from(0, count - 1).map((n) => conversation!.sendMessage(`${n}`)))
  return conversation!
}

test('page size 30, at most 100; default direction backwards from the end; items always ascend by index', async () => {
  const conversation = await withMessages(110)
  expect(indices(await conversation.getMessages())).toEqual(from(80, 109))
  expect(indices(await conversation.getMessages(1000))).toEqual(from(10, 109))
  expect(indices(await conversation.getMessages(3, undefined, 'forward'))).toEqual([0, 1, 2])
})

describe('with ten messages', () => {
  test('the anchor is included, in either direction', async () => {
    const conversation = await withMessages(10)
    expect(indices(await conversation.getMessages(3, 5))).toEqual([3, 4, 5])
    expect(indices(await conversation.getMessages(3, 5, 'forward'))).toEqual([5, 6, 7])
    expect(indices(await conversation.getMessages(3, 0))).toEqual([0])
    expect(indices(await conversation.getMessages(3, 9, 'forward'))).toEqual([9])
  })

  test('prevPage is older and nextPage newer, in either direction', async () => {
    const conversation = await withMessages(10)
    for (const direction of ['backwards', 'forward'] as const) {
      const page = await conversation.getMessages(3, direction === 'backwards' ? 5 : 3, direction)
      expect(indices(page)).toEqual([3, 4, 5])
      expect(indices(await page.prevPage())).toEqual([0, 1, 2])
      expect(indices(await page.nextPage())).toEqual([6, 7, 8])
      const last = await (await page.nextPage()).nextPage()
      expect(indices(last)).toEqual([9])
      expect([last.hasPrevPage, last.hasNextPage]).toEqual([true, false])
    }
  })

  test('paginators are immutable: a page has the messages that it had', async () => {
    const conversation = await withMessages(10)
    const page = await conversation.getMessages(4)
    await page.prevPage()
    await conversation.sendMessage('another')
    expect(indices(page)).toEqual([6, 7, 8, 9])
    expect(page.hasNextPage).toBe(false)
    expect(page.items).toBe(page.items)
  })

  test('apps count down: anchor = getMessagesCount() - loaded - 1 is the page before what is loaded', async () => {
    const conversation = await withMessages(10)
    const loaded = (await conversation.getMessages(4)).items
    const anchor = (await conversation.getMessagesCount()) - loaded.length - 1
    expect(indices(await conversation.getMessages(4, anchor))).toEqual([2, 3, 4, 5])
  })

  test('unread starts at lastReadMessageIndex + 1', async () => {
    const conversation = await withMessages(10)
    await conversation.updateLastReadMessageIndex(6)
    const first = (conversation.lastReadMessageIndex ?? -1) + 1
    expect(indices(await conversation.getMessages(100, first, 'forward'))).toEqual([7, 8, 9])
    expect(await conversation.getUnreadMessagesCount()).toBe(3)
  })

  test('a page that isn’t there rejects, and a malformed page size, anchor or direction', async () => {
    const conversation = await withMessages(1)
    const page = await conversation.getMessages()
    await expect(page.nextPage()).rejects.toMatchObject({ code: 20404 })
    await expect(page.prevPage()).rejects.toMatchObject({ code: 20404 })
    await expect(conversation.getMessages(0)).rejects.toMatchObject({ code: 20001 })
    await expect(conversation.getMessages(1, 0.5)).rejects.toMatchObject({ code: 20001 })
    await expect(conversation.getMessages(1, 0, 'up' as never)).rejects.toMatchObject({ code: 20001 })
  })
})

test('around a removed message pages go on, and its index stays a good anchor', async () => {
  const conversation = await withMessages(5)
  await (await conversation.getMessages(1, 2)).items[0]?.remove()
  expect(await shown(conversation)).toEqual(['0 0', '1 1', '3 3', '4 4'])
  expect(indices(await conversation.getMessages(2, 2))).toEqual([0, 1])
  expect(indices(await conversation.getMessages(2, 2, 'forward'))).toEqual([3, 4])
})
