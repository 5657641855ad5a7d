import { expect, test } from 'vitest'
import { Page } from './paginator.ts'

const last = new Page({ items: [3, 4], next: null, prev: null })
const first = new Page({ items: [1, 2], next: async () => last, prev: null })

test('a page has its neighbours, which are other objects', async () => {
  expect(first.hasNextPage).toBe(true)
  expect(first.hasPrevPage).toBe(false)
  expect((await first.nextPage()).items).toEqual([3, 4])
  expect(first.items).toEqual([1, 2])
})

test('what an app sorts in place stays sorted, and one page has one array', () => {
  const page = new Page({ items: [1, 2], next: null, prev: null })
  page.items.reverse()
  expect(page.items).toEqual([2, 1])
  expect(page.items).toBe(page.items)
})

test('asking for a page that is not there rejects with 20404', async () => {
  await expect(last.nextPage()).rejects.toMatchObject({ code: 20404, status: 404, body: { code: 20404 } })
  await expect(first.prevPage()).rejects.toMatchObject({ code: 20404 })
})
