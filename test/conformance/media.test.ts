/** Attachments, as far as a message without any goes. */
import { expect, test } from 'vitest'
import { connected, relayOf, together } from './stage.ts'

test('attachedMedia yields [], and media null; the type is text', async () => {
  const [conversation] = await together(await connected('alice', await relayOf()))
  await conversation?.sendMessage('no picture')
  const [message] = (await conversation!.getMessages()).items
  expect(message).toMatchObject({ attachedMedia: [], media: null, type: 'text' })
  expect(message?.getMediaByCategories(['media', 'body', 'history'])).toEqual([])
  expect(message?.getEmailBody()).toBeNull()
})

test('a conversation tells what one message may carry', async () => {
  const [conversation] = await together(await connected('alice', await relayOf()))
  expect(conversation?.limits).toMatchObject({
    mediaAttachmentsCountLimit: expect.any(Number),
    mediaAttachmentSizeLimitInMb: 150,
    emailBodiesAllowedContentTypes: expect.arrayContaining(['text/plain']),
  })
})
