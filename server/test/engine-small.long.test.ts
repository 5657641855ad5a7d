/** The document of a conversation stays small whatever happens in it, at the length of years. */
import { expect, test } from 'vitest'
import { comeAndGo, loadPages } from './support/ageing.ts'

test('ten thousand page loads by a hundred people leave few client ids, and carry over what was undecided', async () => {
  const { bytes, ids, epochs } = await loadPages(100, 10_000, 1_000)
  console.log(`${bytes} bytes, ${ids} client ids, epoch ${epochs}`)
  expect(epochs).toBeGreaterThan(1)
  expect(ids).toBeLessThan(230)
  expect(bytes).toBeLessThan(70_000)
})

test('twenty thousand people come and go, and twenty do so twenty thousand times', async () => {
  for (const people of [20_000, 20]) {
    const { bytes, epochs } = await comeAndGo(people, 20_000)
    console.log(`${people} people: ${bytes} bytes, epoch ${epochs}`)
    expect(epochs).toBeGreaterThan(1)
    expect(bytes).toBeLessThan(170_000)
  }
})
