import { expect, test } from 'vitest'
import { open } from '../test/fake-engine.ts'
import { Media } from './index.ts'

const media = new Media({ sid: 'ME1', category: 'body', contentType: 'text/html', size: 3 })

test('an attachment shows what is known of it', () => {
  expect(media).toMatchObject({
    sid: 'ME1',
    filename: null,
    contentType: 'text/html',
    size: 3,
    category: 'body',
  })
})

test('without a message nobody has its content', async () => {
  const { client } = await open()
  await expect(media.getContentTemporaryUrl()).rejects.toMatchObject({ code: 20404 })
  await expect(media.getContent()).rejects.toMatchObject({ code: 20404 })
  expect(await media.getPlaceholderUrl()).toBeNull()
  expect(await client.getTemporaryContentUrlsForMediaSids([])).toEqual(new Map())
})

test('the content of one’s own message is at hand at once', async () => {
  const { conversation } = await open()
  await conversation.sendMessage({
    contentType: 'text/plain; charset=utf-8',
    filename: 'a/b.txt',
    media: 'hi',
  })
  const [message] = (await conversation.getMessages()).items
  expect(message).toMatchObject({ type: 'media', body: null })
  const [one] = message!.attachedMedia!
  expect(one).toMatchObject({ filename: 'b.txt', contentType: 'text/plain; charset=utf-8', size: 2 })
  expect(await (await one!.getContent()).text()).toBe('hi')
  expect(await (await fetch((await one!.getContentTemporaryUrl())!)).text()).toBe('hi')
})
