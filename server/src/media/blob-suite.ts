/** What every place for content must do, as tests. An implementation's own test calls this with a way to open an empty one. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { beforeEach, describe, expect, it } from 'vitest'
import type { BlobStore } from './blobs.ts'

export const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

export function blobSuite(name: string, open: (folder: string) => Promise<BlobStore>): void {
  describe(`${name}: a place for content`, () => {
    let folder: string
    let blobs: BlobStore

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'confab-blobs-'))
      blobs = await open(folder)
      return () => rmSync(folder, { recursive: true, force: true })
    })

    const put = async (content: Uint8Array, hash = hashOf(content)): Promise<string> => {
      const file = join(folder, 'arrived')
      writeFileSync(file, content)
      await blobs.put(hash, file)
      expect(existsSync(file), 'the file is gone').toBe(false)
      return hash
    }
    const read = async (...of: Parameters<BlobStore['read']>): Promise<Buffer> =>
      buffer((await blobs.read(...of)) as Readable)

    it('gives back what was put', async () => {
      const content = randomBytes(3_000_000)
      const hash = await put(content)
      expect(hashOf(await read(hash))).toBe(hash)
    })

    it('gives a part, both ends of it included', async () => {
      const content = randomBytes(100_000)
      const hash = await put(content)
      expect(await read(hash, { start: 0, end: 1 })).toEqual(content.subarray(0, 2))
      expect(await read(hash, { start: 7, end: 7 })).toEqual(content.subarray(7, 8))
      expect(hashOf(await read(hash, { start: 70_000, end: 99_999 }))).toBe(hashOf(content.subarray(70_000)))
    })

    it('takes nothing as content, too', async () => {
      const hash = await put(new Uint8Array())
      expect((await read(hash)).length).toBe(0)
    })

    it('takes the same content again', async () => {
      const content = randomBytes(1000)
      await put(content)
      expect(await read(await put(content))).toEqual(content)
    })

    it('says of content that it lacks that there is none', async () => {
      expect(await blobs.read(hashOf(randomBytes(8)))).toBe(null)
      expect(await blobs.read(hashOf(randomBytes(8)), { start: 1, end: 2 })).toBe(null)
    })

    it('lets go of content, whether or not there is any', async () => {
      const [gone, kept] = [await put(randomBytes(10)), await put(randomBytes(10))]
      await blobs.delete(gone)
      await blobs.delete(gone)
      expect(await blobs.read(gone)).toBe(null)
      expect((await read(kept)).length).toBe(10)
    })

    it('keeps a reader going whose content is let go of', async () => {
      const content = randomBytes(1000)
      const hash = await put(content)
      const reader = (await blobs.read(hash)) as Readable
      await blobs.delete(hash)
      expect(await buffer(reader)).toEqual(content)
    })
  })
}
