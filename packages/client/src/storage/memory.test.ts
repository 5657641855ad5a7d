import { describe, expect, test } from 'vitest'
import { memory } from './memory.ts'
import { freshOwner, storageSentences, withStore } from './storage-suite.ts'

describe('memory()', () => {
  for (const { sentence, prove } of storageSentences) {
    test(sentence, () => {
      const storage = memory()
      return prove({ storage: () => storage })
    })
  }

  test('two calls are two devices', async () => {
    const owner = freshOwner()
    await withStore(memory(), owner, ({ journal }) => journal.write({ values: { a: 1 } }))
    await withStore(memory(), owner, async ({ journal }) => {
      expect((await journal.load()).values).toEqual({})
    })
  })
})
