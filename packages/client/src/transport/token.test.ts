import { afterEach, expect, test, vi } from 'vitest'
import { fetchToken } from './token.ts'

afterEach(() => void vi.useRealTimers())

test('a token server that hangs is given up after twenty seconds, and what it says later is nobody’s', async () => {
  vi.useFakeTimers()
  let answer = (_: string) => {}
  const hanging = () =>
    new Promise<string>((resolve) => {
      answer = resolve
    })
  let ended: unknown = 'not yet'
  const attempt = fetchToken(hanging).catch((error) => {
    ended = error.message
  })
  await vi.advanceTimersByTimeAsync(19_999)
  expect(ended).toBe('not yet')
  await vi.advanceTimersByTimeAsync(1)
  await attempt
  expect(ended).toBe('No token within 20 s')
  answer('too late')
  expect(await fetchToken(async () => 'the next')).toBe('the next')
  expect(vi.getTimerCount()).toBe(0)
})

test.each([[''], [undefined], [7]])('%j is no token', async (given) => {
  await expect(fetchToken(async () => given as string)).rejects.toThrow('The token is not a string')
})
