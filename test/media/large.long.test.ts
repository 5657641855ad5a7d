/** A film of 200 MB from one device's disk to another's, over a connection that is cut every 2 MB. */
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { directory } from '@confab/client'
import { expect, test } from 'vitest'
import { type Fault, faultyProxy } from '../support/faulty-proxy.ts'
import { relayOnDisk } from './relay-stage.ts'
import { bytesOf, clientOf, nextMessage, together, uploadsOf, whenDone } from './stage.ts'

const SIZE = 200_000_000
const CUT: Fault = { end: 'cut', after: 2_000_000, late: 0 }

test('arrives whole, in one upload', { timeout: 600_000 }, async () => {
  const relay = await relayOnDisk()
  const folder = await mkdtemp(join(tmpdir(), 'confab-large-'))
  whenDone(() => rm(folder, { recursive: true, force: true }))
  const port = Number(new URL(relay.url.replace(/^ws/, 'http')).port)
  const proxy = await faultyProxy(
    port,
    Array.from({ length: 2000 }, () => CUT),
  )
  whenDone(() => proxy.close())
  const url = `http://127.0.0.1:${proxy.port}`
  const ann = await clientOf('ann', url, {
    storage: directory(join(folder, 'ann')),
    media: { attachmentBytes: SIZE },
  })
  const ben = await clientOf('ben', url, { storage: directory(join(folder, 'ben')) })
  const [conversation, bens] = await together(ann, ben)

  const path = join(folder, 'film.mp4')
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  for (let at = 0; at < SIZE; at += 1_000_000) {
    const piece = bytesOf(1_000_000)
    hash.update(piece)
    await file.writeFile(piece)
  }
  await file.close()

  const uploads = uploadsOf(ann)
  const coming = nextMessage(bens!)
  await conversation!.sendMessage({
    contentType: 'video/mp4',
    filename: 'film.mp4',
    media: await openAsBlob(path),
  })
  const [film] = (await coming).attachedMedia!
  expect(uploads.told.at(-1)).toMatchObject({ state: 'complete', bytesSent: SIZE, bytesTotal: SIZE })
  const content = await film!.getContent()
  const read = createHash('sha256')
  for (let at = 0; at < SIZE; at += 1_000_000)
    read.update(new Uint8Array(await content.slice(at, at + 1_000_000).arrayBuffer()))
  expect(read.digest('hex')).toBe(hash.digest('hex'))
  expect(2000 - proxy.left).toBeGreaterThan((2 * SIZE) / CUT.after)
  expect(relay.failures).toEqual([])
})
