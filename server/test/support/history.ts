/** A conversation's messages as a reader of pages sees them: out of a stock Y.Doc and the pages that it names. */
import { inflateSync } from 'node:zlib'
import {
  decodePage,
  isGone,
  type Manifest,
  type MessageRecord,
  pageHash,
  pageOf,
  readManifest,
} from '@confab/core'
import type * as Y from 'yjs'
import type { Engine } from '../../src/engine.ts'
import { type Device, operation } from './device.ts'

export const manifestOf = (doc: Y.Doc): Manifest => readManifest((key) => doc.getMap('history').get(key))

/** Live and sealed: what the document says wins. Throws where a page is being made anew. */
export async function everyMessage(doc: Y.Doc, page: (hash: string) => Promise<Uint8Array | null>) {
  const manifest = manifestOf(doc)
  const all = new Map<number, MessageRecord>()
  for (const { hash, count, bytes, first, last } of manifest.pages) {
    if (count === 0) continue
    const deflated = await page(hash)
    if (!deflated) throw new Error(`no page for ${first} to ${last}: '${hash}'`)
    const read = inflateSync(deflated)
    if (pageHash(read) !== hash || read.length !== bytes) throw new Error('another page than was asked for')
    for (const record of decodePage(read)) all.set(record.index, record)
  }
  for (const index of all.keys()) {
    const sealed = pageOf(manifest, index)
    if (!sealed || isGone(sealed, index)) all.delete(index)
  }
  const sealedCount = all.size
  if (sealedCount !== manifest.count) throw new Error(`${manifest.count} sealed, ${sealedCount} found`)
  for (const record of doc.getArray<MessageRecord>('messages').toArray()) all.set(record.index, record)
  return [...all.values()].sort((a, b) => a.index - b.index)
}

export const pagesFor =
  (engine: Engine, { principal }: Device, sid: string) =>
  (hash: string) =>
    engine.page(principal, sid, hash)

/** Resolves when the device's document has no more than so many messages live and no page to be made anew. */
export function sealed(device: Device, sid: string, live: number): Promise<void> {
  return device.until(() => {
    const doc = device.doc(sid)
    const isMade = manifestOf(doc).pages.every(({ count, hash }) => count === 0 || hash !== '')
    return isMade && doc.getArray('messages').length <= live
  })
}

/** A stored document with other bounds for sealing: everything is quick. */
export const tiny = {
  messages: 10,
  bytes: 4000,
  pageMessages: 4,
  pageBytes: 1500,
  edited: 3,
  editedBytes: 2000,
  settle: 1,
}

export const edit = (sid: string, body: string) => operation('message.edit', { sid, body })
export const remove = (sid: string) => operation('message.remove', { sid })
