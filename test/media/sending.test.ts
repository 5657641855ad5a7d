/** A file's way from a device to the others, with and without a network. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { directory, memory } from '@confab/client'
import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import {
  bytesOf,
  clientOf,
  mediaRelay,
  nextMessage,
  readBack,
  sha256,
  together,
  uploadsOf,
  whenDone,
} from './stage.ts'

test('a picture that is sent is seen by the others with all that is known of it, and read back the same', async () => {
  const { url } = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', url), await clientOf('ben', url)]
  const [conversation, bens] = await together(ann, ben)
  const bytes = bytesOf(300_000)
  const coming = nextMessage(bens!)
  const form = new FormData()
  form.append('photo', new Blob([bytes], { type: 'image/png' }), '../../etc/lunch.png')
  await conversation!.sendMessage(form, { album: 1 })
  const message = await coming
  expect(message).toMatchObject({ type: 'media', body: null, attributes: { album: 1 }, status: 'accepted' })
  const [media] = message.attachedMedia!
  expect(media).toMatchObject({
    filename: 'lunch.png',
    contentType: 'image/png',
    size: 300_000,
    category: 'media',
  })
  expect(await readBack(await media!.getContentTemporaryUrl())).toEqual(bytes)
  // from this device now
  await ben.goOffline()
  const again = await media!.getContent()
  expect(Buffer.from(await again.arrayBuffer())).toEqual(bytes)
})

test('prepareMessage takes text and several attachments, each of its category', async () => {
  const { url, kept } = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', url), await clientOf('ben', url)]
  const [conversation, bens] = await together(ann, ben)
  const coming = nextMessage(bens!)
  await conversation!
    .prepareMessage()
    .setBody('both')
    .addMedia({ contentType: 'text/plain', filename: 'a.txt', media: 'one' })
    .addMedia({ contentType: null, media: new Uint8Array([1, 2, 3]) })
    .setEmailBody('text/html', { contentType: null, media: '<b>hi</b>' })
    .build()
    .send()
  const message = await coming
  expect(message.body).toBe('both')
  expect(
    message.attachedMedia!.map(({ contentType, filename, size }) => [contentType, filename, size]),
  ).toEqual([
    ['text/plain', 'a.txt', 3],
    ['application/octet-stream', null, 3],
  ])
  const body = message.getEmailBody('text/html')!
  expect(await readBack(await body.getContentTemporaryUrl())).toEqual(Buffer.from('<b>hi</b>'))
  // what could run script in the app's origin is mere bytes
  expect((await body.getContent()).type).toBe('application/octet-stream')
  expect(kept.size).toBe(3)
  const urls = await message.getTemporaryContentUrlsForAttachedMedia()
  expect([...urls.keys()]).toEqual(message.attachedMedia!.map(({ sid }) => sid))
})

test('with no network a file is on the disk before sendMessage resolves, is shown from there, and goes up later', async () => {
  const { url, kept } = await mediaRelay()
  const folder = await mkdtemp(join(tmpdir(), 'confab-media-'))
  whenDone(() => rm(folder, { recursive: true, force: true }))
  const ann = await clientOf('ann', url, { storage: directory(folder) })
  const ben = await clientOf('ben', url)
  const [conversation, bens] = await together(ann, ben)
  await ann.goOffline()
  const bytes = bytesOf(50_000)
  const { heard } = uploadsOf(ann)
  const index = await conversation!.sendMessage({ contentType: 'image/gif', filename: 'x.gif', media: bytes })
  const files = (await readdir(folder, { recursive: true })).map((one) => one.split('/').at(-1))
  expect(files).toContain(sha256(bytes))
  const [mine] = (await conversation!.getMessages(1)).items
  expect(mine).toMatchObject({ index, status: 'pending' })
  expect(await readBack(await mine!.attachedMedia![0]!.getContentTemporaryUrl())).toEqual(bytes)
  await heard(({ state }) => state === 'waiting')
  expect(mine!.upload).toEqual({ bytesSent: 0, bytesTotal: 50_000, state: 'waiting' })
  expect(kept.size).toBe(0)

  // another process on the same folder takes over
  await ann.shutdown()
  const coming = nextMessage(bens!)
  const later = await clientOf('ann', url, { storage: directory(folder) })
  const uploads = uploadsOf(later)
  expect(Buffer.from(await (await (await coming).attachedMedia![0]!.getContent()).arrayBuffer())).toEqual(
    bytes,
  )
  await uploads.heard(({ state, bytesSent, bytesTotal }) => state === 'complete' && bytesSent === bytesTotal)
  await until(later, () => later.getPendingOperations().length === 0)
  expect([...kept.values()].map(({ state }) => state)).toEqual(['ready'])
})

test('a text does not wait for a film, and an edit of the film’s message waits with it', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  stand.refusing = { status: 507, code: 70502 }
  const shown: string[] = []
  bens!.on('messageAdded', ({ index, body }) => shown.push(`${index} ${body}`))
  const uploads = uploadsOf(ann)
  await conversation!
    .prepareMessage()
    .setBody('film')
    .addMedia({ contentType: 'video/mp4', media: bytesOf(1000) })
    .buildAndSend()
  expect((await uploads.heard(({ error }) => error !== undefined)).error).toMatchObject({ code: 70502 })
  const [film] = (await conversation!.getMessages(1)).items
  await film!.updateBody('the film')
  await conversation!.sendMessage('text')
  await until(ben, () => shown.length === 1)
  expect(
    (await conversation!.getMessages()).items.map(({ index, body, status }) => `${index} ${body} ${status}`),
  ).toEqual(['0 text accepted', '1 the film pending'])
  stand.refusing = null
  await ann.goOffline()
  await ann.goOnline()
  await until(ben, () => shown.length === 2)
  await until(ann, () => ann.getPendingOperations().length === 0)
  await until(ben, async () => (await bens!.getMessages()).items.at(-1)?.body === 'the film')
  expect(shown).toEqual(['0 text', expect.stringMatching(/^1 (the )?film$/)])
  expect(ann.getHeldOperations()).toEqual([])
})

test('the same content is kept and fetched once, however many messages have it', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  const media = bytesOf(10_000)
  for (let i = 0; i < 3; i++) await conversation!.sendMessage({ contentType: 'image/png', media })
  await until(ben, async () => (await bens!.getMessagesCount()) === 3)
  for (const { attachedMedia } of (await bens!.getMessages()).items)
    expect(Buffer.from(await (await attachedMedia![0]!.getContent()).arrayBuffer())).toEqual(media)
  expect(stand.requests.filter((one) => one === 'GET content')).toHaveLength(1)
  expect((await ben.storage()).media).toBe(10_000)
  expect((await ann.storage()).conversations).toMatchObject([{ media: 10_000 }])
})

test('what the relay does not take is held with its text and content, and can be sent again', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  stand.refusing = { status: 413, code: 70608 }
  const media = bytesOf(2000)
  const sending = conversation!
    .prepareMessage()
    .setBody('too large')
    .addMedia({ contentType: 'image/png', media })
    .buildAndSend()
  await sending.catch((error) => expect(error).toMatchObject({ code: 70608 }))
  await until(ann, () => ann.getHeldOperations().length === 1)
  const [held] = ann.getHeldOperations()
  expect(held).toMatchObject({ error: { code: 70608 }, operation: { body: 'too large' } })
  expect((await conversation!.getMessages()).items).toEqual([])
  expect((await ann.storage()).media).toBe(2000)
  stand.refusing = null
  const coming = nextMessage(bens!)
  await held!.resend()
  const [one] = (await coming).attachedMedia!
  expect(Buffer.from(await (await one!.getContent()).arrayBuffer())).toEqual(media)
  expect(ann.getHeldOperations()).toEqual([])
})

test('an upload that is cancelled leaves its message held; discarded, nothing of it stays', async () => {
  const stand = await mediaRelay()
  const ann = await clientOf('ann', stand.url, { storage: memory() })
  const [conversation] = await together(ann)
  stand.verdict = 'checking'
  const uploads = uploadsOf(ann)
  await conversation!
    .prepareMessage()
    .setBody('no')
    .addMedia({ contentType: 'image/png', media: bytesOf(500) })
    .buildAndSend()
  await uploads.heard(({ state }) => state === 'checking')
  const [message] = (await conversation!.getMessages()).items
  expect(await message!.cancelUpload()).toBe(true)
  const [held] = ann.getHeldOperations()
  expect(held).toMatchObject({ error: { code: 20001 }, operation: { body: 'no', media: [{ size: 500 }] } })
  expect((await ann.storage()).media).toBe(500)
  await held!.discard()
  await expect.poll(async () => (await ann.storage()).media, { timeout: 20_000 }).toBe(0)
})
