/**
 * Content in backups: `<copy>-media/content` has what a copied database refers to, by its hash as everywhere. Content
 * never changes, so that a hard link is a copy where the disk has them.
 */
import { constants, existsSync } from 'node:fs'
import { copyFile, link, mkdir, open, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConfabError } from '@confab/core'
import { type StoredContent, storedContent } from '../store/sqlite/contents.ts'
import { contentPath, FOLDER_RIGHTS } from './disk-blobs.ts'
import { fileHash } from './file-hash.ts'

/** What became of the content that a database refers to. */
export interface CopiedContent {
  /** Contents that were copied, and their bytes. */
  count: number
  bytes: number
  /** Hashes of those that were not where they should be, or not whole. */
  lacking: string[]
  /** It lies in a bucket, or wherever the app keeps it: nothing was copied. */
  isElsewhere: boolean
}

const NOTHING: CopiedContent = { count: 0, bytes: 0, lacking: [], isElsewhere: false }

/** @param media its folder of attachments, if that isn't the one beside it */
export const contentFolder = (database: string, media = `${database}-media`): string => join(media, 'content')

/**
 * Makes a copy of a database and puts the content that it refers to beside it.
 * @param folder where the content lies, in which nothing may be deleted meanwhile; null: elsewhere
 * @throws ConfabError 70502 when there is something of that name, or it can't be written; then nothing is left of it
 */
export async function backUp(
  copy: string,
  folder: string | null,
  copyDatabase: (copy: string) => Promise<void>,
): Promise<CopiedContent> {
  const beside = `${copy}-media`
  if (existsSync(beside))
    throw new ConfabError(70502, `${beside} is there already: a backup overwrites nothing`)
  await copyDatabase(copy)
  const stored = storedContent(copy)
  if (stored.length === 0) return NOTHING
  if (folder === null) return { ...NOTHING, isElsewhere: true }
  try {
    return await copied(stored, folder, contentFolder(copy), async ({ hash, size }) => {
      const found = await stat(contentPath(folder, hash)).catch(() => null)
      return found?.size === size
    })
  } catch (cause) {
    for (const path of [copy, beside]) await rm(path, { recursive: true, force: true })
    throw new ConfabError(70502, `the backup ${beside} can't be written: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** Content of a backup that is ready to take its place. */
export interface ReadyContent extends CopiedContent {
  /** Puts it into its place. Gives the name under which what was there before is kept; null: there was nothing. */
  place(): Promise<string | null>
  /** Lets go of it. */
  drop(): Promise<void>
}

/**
 * Copies the content of a backup to where it is to be, each compared with its hash.
 * @param isForced take what there is
 * @throws ConfabError 70502 when some is lacking, or it can't be written; then nothing has changed
 */
export async function readyContent(copy: string, folder: string, isForced: boolean): Promise<ReadyContent> {
  const from = contentFolder(copy)
  const partial = `${folder}.partial`
  const drop = async () => {
    await rm(partial, { recursive: true, force: true })
    // what it was made in, unless there is something else
    await rmdir(dirname(partial)).catch(() => {})
  }
  let ready: CopiedContent
  try {
    await drop()
    ready = await copied(storedContent(copy), from, partial, async ({ hash }) => {
      const path = contentPath(from, hash)
      return existsSync(path) && (await fileHash(path)) === hash
    })
  } catch (cause) {
    await drop()
    throw new ConfabError(70502, `${folder} can't be written: ${(cause as Error).message}`, { cause })
  }
  if (ready.lacking.length > 0 && !isForced) {
    await drop()
    throw new ConfabError(
      70502,
      `${from} lacks, or has damaged, ${ready.lacking.length} contents of attachments, such as ${ready.lacking[0]}: --force restores without them`,
    )
  }
  return {
    ...ready,
    drop,
    async place() {
      let before: string | null = null
      if (existsSync(folder)) {
        before = `${folder}.before-${new Date().toISOString().replaceAll(/[^\dT]/g, '')}`
        await rename(folder, before)
      }
      if (ready.count > 0) await rename(partial, folder)
      return before
    },
  }
}

async function copied(
  stored: readonly StoredContent[],
  from: string,
  to: string,
  isWhole: (content: StoredContent) => Promise<boolean>,
): Promise<CopiedContent> {
  const result = { ...NOTHING, lacking: [] as string[] }
  for (const content of stored) {
    if (!(await isWhole(content))) {
      result.lacking.push(content.hash)
      continue
    }
    await linked(contentPath(from, content.hash), contentPath(to, content.hash))
    result.count++
    result.bytes += content.size
  }
  return result
}

/** What a disk without hard links says, one with too many of them, and another disk. */
const UNLINKED = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

async function linked(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: FOLDER_RIGHTS })
  try {
    await link(from, to)
  } catch (error) {
    if (!UNLINKED.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    await copyFile(from, to, constants.COPYFILE_EXCL)
    await onDisk(to)
  }
  await onDisk(dirname(to))
}

async function onDisk(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
