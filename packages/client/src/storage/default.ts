import { part } from '../part.ts'
import { indexedDB } from './indexed-db.ts'
import type { Storage } from './storage.ts'

/**
 * The storage of a client that wasn't given one: IndexedDB where there is one (browsers), otherwise memory: a Node
 * process keeps nothing beyond its life unless it is told where, by `storage: directory(path)`.
 */
export function defaultStorage(): Storage {
  return typeof globalThis.indexedDB === 'undefined' ? loadedMemory() : indexedDB()
}

/** `memory()` of `memory.ts`, which browsers load only when they use it. */
export function loadedMemory(): Storage {
  let loading: Promise<Storage> | undefined
  const loaded = () => {
    loading ??= part(import('./memory.ts')).then(
      ({ memory }) => memory(),
      (error) => {
        loading = undefined
        throw error
      },
    )
    return loading
  }
  return {
    kind: 'memory',
    open: async (owner) => (await loaded()).open(owner),
    lastOwner: async (relay) => (await loaded()).lastOwner(relay),
    rememberOwner: async (owner) => (await loaded()).rememberOwner(owner),
    destroy: async (owner) => (await loaded()).destroy?.(owner),
  }
}
