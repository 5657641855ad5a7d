/** Attachments in memory, shared by the clients of one owner. */
import type { MediaStore, MediaUse, StoredContent } from './storage.ts'

export interface SharedMedia {
  contents: Map<string, StoredContent & { content: Blob }>
  uses: Map<string, MediaUse>
  /** Resolves when whoever has the turn, or waits for it, is done. */
  leader: Promise<void>
}

export function memoryMedia(shared: SharedMedia): MediaStore {
  const { contents, uses } = shared
  const note = (some: readonly MediaUse[]) => {
    for (const use of some) uses.set(use.media, { ...use })
  }
  const led = new Set<() => void>()
  return {
    async contents() {
      return [...contents.values()].map(({ content: _, ...stored }) => stored)
    },
    async uses() {
      return [...uses.values()].map((use) => ({ ...use }))
    },
    async get(hash, now) {
      const stored = contents.get(hash)
      if (stored) stored.used = now
      return stored?.content ?? null
    },
    async put(hash, content, some, now) {
      if (!contents.has(hash)) {
        // a copy: what was given may be a file that goes
        const copy = new Blob([await content.arrayBuffer()], { type: content.type })
        contents.set(hash, { hash, size: content.size, used: now, content: copy })
      }
      note(some)
    },
    async use(some) {
      note(some)
    },
    async release(media) {
      for (const sid of media) uses.delete(sid)
      const used = new Set([...uses.values()].map(({ hash }) => hash))
      for (const hash of [...contents.keys()]) if (!used.has(hash)) contents.delete(hash)
    },
    async lead(signal) {
      const before = shared.leader
      let resolve = () => {}
      const turn = new Promise<void>((done) => {
        resolve = done
      })
      shared.leader = Promise.all([before, turn]).then(() => {})
      const end = () => {
        led.delete(end)
        resolve()
      }
      led.add(end)
      try {
        await untilAborted(before, signal)
      } catch (cause) {
        end()
        throw cause
      }
      return end
    },
    async close() {
      for (const end of led) end()
    },
  }
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, reject)
  })
}
