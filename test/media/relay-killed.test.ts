/** A relay that dies while a file comes in. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conversation } from '@confab/client'
import { expect, test } from 'vitest'
import { relayOptions } from '../support/relay.ts'
import { runRelay } from '../support/relay-process.ts'
import { bytesOf, clientOf, nextMessage, readBack, sha256, together, uploadsOf, whenDone } from './stage.ts'

test('a relay that is killed again and again while a file comes in has it whole in the end, once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'confab-media-killed-'))
  whenDone(() => rm(folder, { recursive: true, force: true }))
  const database = join(folder, 'relay.sqlite')
  let relay = await runRelay(relayOptions({ database }))
  whenDone(() => relay.kill())
  const { url, port } = relay
  const [ann, ben] = [await clientOf('ann', url), await clientOf('ben', url)]
  const [anns, bens] = (await together(ann, ben)) as [Conversation, Conversation]
  const bytes = bytesOf(24_000_000)
  const uploads = uploadsOf(ann)
  const coming = nextMessage(bens)
  await anns.sendMessage({ contentType: 'video/mp4', filename: 'film.mp4', media: new Blob([bytes]) })
  for (const part of [0.1, 0.4, 0.7]) {
    await uploads.heard(({ bytesSent, bytesTotal }) => bytesSent > part * bytesTotal)
    await relay.kill()
    relay = await runRelay(relayOptions({ database, port }))
    // a device waits longer from time to time; nobody wants to here
    await ann.goOffline()
    await ann.goOnline()
  }
  await ben.goOffline()
  await ben.goOnline()
  const message = await coming
  expect(await readBack(await message.attachedMedia![0]!.getContentTemporaryUrl())).toEqual(bytes)
  const files = await readdir(`${database}-media`, { recursive: true, withFileTypes: true })
  expect(files.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([sha256(bytes)])
}, 120_000)
