/** What the network does to files, both ways. */
import { expect, test } from 'vitest'
import { type Fault, faultyProxy } from '../support/faulty-proxy.ts'
import { until } from '../support/until.ts'
import { bytesOf, clientOf, mediaRelay, nextMessage, sha256, together, uploadsOf, whenDone } from './stage.ts'

const cutEvery = (bytes: number, times: number): Fault[] =>
  Array.from({ length: times }, () => ({ end: 'cut', after: bytes, late: 0 }))

test('a file of 6 MB passes a connection that is cut every 400 kB, both ways, in one upload', async () => {
  const stand = await mediaRelay()
  const proxy = await faultyProxy(stand.port, cutEvery(400_000, 60))
  whenDone(() => proxy.close())
  const url = `http://127.0.0.1:${proxy.port}`
  // those who have nothing cut bring them together
  const [ann, ben] = [await clientOf('ann', url), await clientOf('ben', url)]
  const [conversation, bens] = await together(ann, ben)
  const bytes = bytesOf(6_000_000)
  const uploads = uploadsOf(ann)
  const coming = nextMessage(bens!)
  await conversation!.sendMessage({ contentType: 'video/mp4', filename: 'film.mp4', media: bytes })
  const [film] = (await coming).attachedMedia!
  const heard: number[] = []
  const content = await film!.getContent((received) => heard.push(received))
  expect(sha256(new Uint8Array(await content.arrayBuffer()))).toBe(sha256(bytes))
  expect(stand.requests.filter((one) => one === 'POST uploads')).toHaveLength(1)
  expect(stand.requests.filter((one) => one === 'PATCH uploads').length).toBeGreaterThan(5)
  expect(stand.requests.filter((one) => one === 'GET content').length).toBeGreaterThan(5)
  expect(proxy.left).toBeLessThan(45)
  // bytes of bytes, never beyond
  expect(uploads.told.every(({ bytesSent, bytesTotal }) => bytesSent <= bytesTotal)).toBe(true)
  expect(heard).toEqual([...heard].sort((a, b) => a - b))
  expect(heard.at(-1)).toBe(6_000_000)
})

test('what the relay gives is compared with its hash, and kept only if it is the same', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  const media = bytesOf(5000)
  const coming = nextMessage(bens!)
  await conversation!.sendMessage({ contentType: 'image/png', media })
  const [picture] = (await coming).attachedMedia!
  stand.damaged = bytesOf(5000)
  await expect(picture!.getContent()).rejects.toMatchObject({ code: 70607 })
  stand.damaged = bytesOf(9000)
  await expect(picture!.getContentTemporaryUrl()).rejects.toMatchObject({ code: 70607 })
  expect((await ben.storage()).media).toBe(0)
  stand.damaged = null
  expect(Buffer.from(await (await picture!.getContent()).arrayBuffer())).toEqual(media)
})

test('sending is called off before it is written: nothing is kept; while it goes up: it is held', async () => {
  const stand = await mediaRelay()
  const ann = await clientOf('ann', stand.url)
  const [conversation] = await together(ann)
  const prepared = () =>
    conversation!
      .prepareMessage()
      .setBody('film')
      .addMedia({ contentType: 'video/mp4', media: bytesOf(3_000_000) })
  const early = prepared().buildAndSend()
  early.cancel()
  await expect(early).rejects.toMatchObject({ code: 20001 })
  await expect.poll(async () => (await ann.storage()).media).toBe(0)
  expect(ann.getHeldOperations()).toEqual([])

  stand.verdict = 'checking'
  const uploads = uploadsOf(ann)
  const late = prepared().buildAndSend()
  late.catch(() => {})
  await uploads.heard(({ state }) => state === 'checking')
  late.cancel()
  await expect(late).rejects.toMatchObject({ code: 20001 })
  await until(ann, () => ann.getHeldOperations().length === 1)
  expect((await conversation!.getMessages()).items).toEqual([])
  expect((await ann.storage()).media).toBe(3_000_000)
})

test('what the relay’s app refuses is held with its reason', async () => {
  const stand = await mediaRelay()
  const ann = await clientOf('ann', stand.url)
  const [conversation] = await together(ann)
  stand.verdict = 'refused'
  await conversation!.sendMessage({ contentType: 'image/png', media: bytesOf(100) }).catch(() => {})
  await until(ann, () => ann.getHeldOperations().length === 1)
  expect(ann.getHeldOperations()[0]!.error).toMatchObject({ code: 70301, message: 'The scanner said no' })
})

test('offline, what is not here says so', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  const coming = nextMessage(bens!)
  await conversation!.sendMessage({ contentType: 'image/png', media: bytesOf(100) })
  const message = await coming
  await stand.close()
  await expect(message.attachedMedia![0]!.getContentTemporaryUrl()).rejects.toMatchObject({ code: 20404 })
  await expect(message.getTemporaryContentUrlsForAttachedMedia()).rejects.toMatchObject({ code: 20404 })
})
