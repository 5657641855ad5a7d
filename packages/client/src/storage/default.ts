import { indexedDB } from './indexed-db.ts'
import { memory } from './memory.ts'
import type { Storage } from './storage.ts'

/**
 * The storage of a client that wasn't given one: IndexedDB where there is one (browsers), otherwise memory: a Node
 * process keeps nothing beyond its life unless it is told where, by `storage: directory(path)`.
 */
export function defaultStorage(): Storage {
  return typeof globalThis.indexedDB === 'undefined' ? memory() : indexedDB()
}
