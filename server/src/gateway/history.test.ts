/** Whose requests for pages are answered when many ask at a time: real HTTP, and pages that take as long as they like. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HISTORY_PATH } from '@confab/core'
import { afterEach, expect, test } from 'vitest'
import { HistoryEndpoint } from './history.ts'

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

/** Tokens are names. Resolves once so many wait for their page. */
async function serve() {
  const waiting: (() => void)[] = []
  let told = () => {}
  const endpoint = new HistoryEndpoint({
    reader: async (token) => ({
      name: token,
      page: () =>
        new Promise((resolve) => {
          waiting.push(() => resolve(null))
          told()
        }),
    }),
    failed: (error) => {
      throw error
    },
  })
  const server = createServer((request, response) => void endpoint.handle(request, response))
  endings.push(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${HISTORY_PATH}/CH1/hash`
  const ask = (name: string) => fetch(url, { headers: { authorization: `Bearer ${name}` } })
  const wait = (count: number) =>
    new Promise<void>((resolve) => {
      told = () => waiting.length >= count && resolve()
      told()
    })
  return { ask, wait, waiting }
}

test('one person who asks for very many is told to come back, and everybody else is answered', async () => {
  const { ask, wait, waiting } = await serve()
  const first = Array.from({ length: 16 }, () => ask('ada'))
  await wait(16)
  const refused = await ask('ada')
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  const other = ask('bob')
  await wait(17)
  for (const answer of waiting.splice(0)) answer()
  for (const { status } of await Promise.all([...first, other])) expect(status).toBe(404)
  const again = ask('ada')
  await wait(1)
  waiting[0]?.()
  expect((await again).status).toBe(404)
})
