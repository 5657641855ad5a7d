/** IndexedDB on a stand-in, for speed; `test/browser/storage.browser.test.ts` proves the same in a browser. */
import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import { defaultStorage } from './default.ts'
import { indexedDB } from './indexed-db.ts'
import { indexedDBDevice, indexedDBSentences } from './indexed-db-sentences.ts'
import { freshOwner, storageSentences } from './storage-suite.ts'

describe('indexedDB()', () => {
  for (const { sentence, prove } of [...storageSentences, ...indexedDBSentences]) {
    test(sentence, () => prove(indexedDBDevice))
  }

  test('it is the default where there is an IndexedDB, and memory elsewhere', async () => {
    expect(defaultStorage().kind).toBe('indexeddb')
    const kept = globalThis.indexedDB
    try {
      Reflect.deleteProperty(globalThis, 'indexedDB')
      expect(defaultStorage().kind).toBe('memory')
      await expect(indexedDB().open(freshOwner())).rejects.toMatchObject({ code: 70501 })
      await expect(indexedDB().lastOwner('wss://relay.example')).rejects.toMatchObject({ code: 70501 })
    } finally {
      globalThis.indexedDB = kept
    }
  })
})
