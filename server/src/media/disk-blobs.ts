/** Blobs as files, in folders by the first two digits of their hash. */
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobStore } from './blobs.ts'

/** Rights of a folder that is made here: what people sent each other is for the relay's eyes only. */
export const FOLDER_RIGHTS = 0o700

/** Where the content of a hash lies in their folder. */
export const contentPath = (directory: string, hash: string): string =>
  join(directory, hash.slice(0, 2), hash)

/** @param directory on the disk of the files that are put */
export function diskBlobs(directory: string): BlobStore {
  const pathOf = (hash: string) => contentPath(directory, hash)
  return {
    async put(hash, file) {
      const path = pathOf(hash)
      await mkdir(dirname(path), { recursive: true, mode: FOLDER_RIGHTS })
      await synced(file)
      await rename(file, path)
      // the name is on disk, too
      await synced(dirname(path))
    },
    async read(hash, range) {
      let handle: Awaited<ReturnType<typeof open>>
      try {
        handle = await open(pathOf(hash), 'r')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
      return createReadStream('', { fd: handle, ...range })
    },
    delete: (hash) => rm(pathOf(hash), { force: true }),
  }
}

async function synced(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
