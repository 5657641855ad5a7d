import { ConfabError } from '@confab/core'
import type { Storage } from './storage.ts'

/** What a browser gets in place of Node's `directory(path)`. Throws `ConfabError` 70501. */
export function directory(_path: string, _options?: { maxBytes?: number }): Storage {
  throw new ConfabError(70501, 'directory(path) needs Node: in a browser use indexedDB()')
}

/** Rejects with `ConfabError` 70501. */
export async function examineStores(_path: string): Promise<never> {
  throw new ConfabError(70501, 'examineStores(path) needs Node')
}
