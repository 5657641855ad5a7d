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

test('its content can’t be had from a relay that stores none', async () => {
  const { client } = await open()
  await expect(media.getContentTemporaryUrl()).rejects.toMatchObject({ code: 20404 })
  await expect(client.getTemporaryContentUrlsForMedia([media])).rejects.toMatchObject({ code: 20404 })
  expect(await client.getTemporaryContentUrlsForMediaSids([])).toEqual(new Map())
})
