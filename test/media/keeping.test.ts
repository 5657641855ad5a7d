/** What stays on a device of what was sent and fetched, and until when. */
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Conversation, directory, type MediaDownload } from '@confab/client'
import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { bytesOf, clientOf, mediaRelay, sha256, together, whenDone } from './stage.ts'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'confab-keeping-'))
  whenDone(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Names of what is kept in a folder, by hash. */
const keptIn = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => name.split('/').at(-1) as string)
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .sort()

const hashes = (...contents: Uint8Array[]): string[] => contents.map(sha256).sort()

async function send(conversation: Conversation, ...contents: Buffer<ArrayBuffer>[]): Promise<void> {
  for (const media of contents) await conversation.sendMessage({ contentType: 'image/png', media })
}

const mediaOf = async (conversation: Conversation) =>
  (await conversation.getMessages(100)).items.flatMap(({ attachedMedia }) => attachedMedia ?? [])

test('what was used longest ago goes when there is more than the budget; a pinned conversation’s stays', async () => {
  const stand = await mediaRelay()
  const path = await folder()
  const ann = await clientOf('ann', stand.url)
  const ben = await clientOf('ben', stand.url, { storage: directory(path), media: { bytes: 2500 } })
  const [first, bens] = await together(ann, ben)
  const [a, b, c, d] = [bytesOf(1000), bytesOf(1001), bytesOf(1002), bytesOf(1003)]
  await send(first!, a, b, c, d)
  await until(ben, async () => (await bens!.getMessagesCount()) === 4)
  const [one, two, three, four] = await mediaOf(bens!)
  await one!.getContent()
  await two!.getContent()
  expect(keptIn(path)).toEqual(hashes(a, b))
  await one!.getContent()
  await three!.getContent()
  await expect.poll(() => keptIn(path), { timeout: 20_000 }).toEqual(hashes(a, c))

  await bens!.pinHistory()
  await two!.getContent()
  await four!.getContent()
  // the one look that would take something comes a second later
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(keptIn(path)).toEqual(hashes(a, b, c, d))
})

test('downloadMedia fetches all of a conversation, tells how far it is, and offline all of it is there', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  const contents = Array.from({ length: 6 }, (_, i) => bytesOf(100_000 + i))
  await send(conversation!, ...contents)
  await until(ben, async () => (await bens!.getMessagesCount()) === 6)
  const told: MediaDownload[] = []
  const bytesTotal = contents.reduce((sum, { length }) => sum + length, 0)
  const done = { files: 6, filesTotal: 6, bytes: bytesTotal, bytesTotal, failed: 0 }
  expect(await bens!.downloadMedia((progress) => told.push(progress))).toEqual(done)
  expect(told.at(-1)).toEqual(done)
  expect(told.map(({ bytes }) => bytes)).toEqual(told.map(({ bytes }) => bytes).sort((x, y) => x - y))
  await stand.close()
  const all = await mediaOf(bens!)
  for (const [i, media] of all.entries())
    expect(Buffer.from(await (await media.getContent()).arrayBuffer())).toEqual(contents[i])
})

test('a message that is removed, a conversation that is left or forgotten, and destroy take the bytes with them', async () => {
  const stand = await mediaRelay()
  const [annsPath, bensPath] = [await folder(), await folder()]
  const ann = await clientOf('ann', stand.url, { storage: directory(annsPath) })
  const ben = await clientOf('ben', stand.url, { storage: directory(bensPath) })
  const [conversation, bens] = await together(ann, ben)
  const [a, b, c] = [bytesOf(1000), bytesOf(1001), bytesOf(1002)]
  await send(conversation!, a, b, c)
  await until(ben, async () => (await bens!.getMessagesCount()) === 3)
  await bens!.downloadMedia()
  expect(keptIn(bensPath)).toEqual(hashes(a, b, c))

  const [first] = (await conversation!.getMessages()).items
  await first!.remove()
  for (const path of [annsPath, bensPath])
    await expect.poll(() => keptIn(path), { timeout: 20_000 }).toEqual(hashes(b, c))

  await conversation!.removeParticipant('ben')
  await expect.poll(() => keptIn(bensPath), { timeout: 20_000 }).toEqual([])

  expect(await ann.forget(conversation!)).toBe(true)
  expect(keptIn(annsPath)).toEqual([])

  await ann.goOffline()
  await send(conversation!, a)
  expect(keptIn(annsPath)).toEqual(hashes(a))
  await ann.destroy()
  expect(existsSync(annsPath) ? readdirSync(annsPath) : []).toEqual([])
})

test('a folder that may take no more refuses a file, and keeps the text of another', async () => {
  const stand = await mediaRelay()
  const path = await folder()
  const ann = await clientOf('ann', stand.url, { storage: directory(path, { maxBytes: 2_000_000 }) })
  const [conversation] = await together(ann)
  await ann.goOffline()
  const large = conversation!.sendMessage({ contentType: 'video/mp4', media: bytesOf(3_000_000) })
  await expect(large).rejects.toMatchObject({ code: 70501, message: expect.stringMatching(/no room/) })
  expect((await conversation!.getMessages()).items).toEqual([])
  expect(keptIn(path)).toEqual([])
  await conversation!.sendMessage('text')
  expect(await conversation!.getMessagesCount()).toBe(1)
})

test('an export has the attachments beside it, each under a name of its own', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  const same = { contentType: 'text/html', filename: 'a <b>.html' }
  await conversation!
    .prepareMessage()
    .setBody('two')
    .addMedia({ ...same, media: 'one' })
    .addMedia({ ...same, media: 'other' })
    .buildAndSend()
  await until(ben, async () => (await bens!.getMessagesCount()) === 1)
  expect((await bens!.export({ files: true })).files).toEqual([])
  await bens!.downloadMedia()
  const { blob, files } = await bens!.export({ format: 'html', files: true })
  expect(
    await Promise.all(files.map(async ({ name, blob: one }) => [name, one.type, await one.text()])),
  ).toEqual([
    ['attachments/0-1 a b.html', 'application/octet-stream', 'one'],
    ['attachments/0-2 a b.html', 'application/octet-stream', 'other'],
  ])
  const page = await blob.text()
  expect(page).toContain('<a href="attachments/0-1%20a%20b.html">a b.html (3 bytes)</a>')
  const { blob: markdown, files: none } = await bens!.export({ format: 'markdown' })
  expect(none).toEqual([])
  expect(await markdown.text()).toContain('> two\n> a b.html \\(3 bytes\\)\n')
})
