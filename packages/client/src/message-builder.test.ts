import { expect, test } from 'vitest'
import { open } from '../test/fake-engine.ts'
import { MessageBuilder, UnsentMessage } from './index.ts'

test('a message is prepared part by part, and sent', async () => {
  const { conversation, engine } = await open()
  const builder = conversation.prepareMessage()
  expect(builder).toBeInstanceOf(MessageBuilder)
  const unsent = builder.setBody('hello').setSubject('news').setAttributes({ a: 1 }).build()
  expect(unsent).toBeInstanceOf(UnsentMessage)
  expect(engine.submitted).toEqual([])
  expect(await unsent.send()).toBe(0)
  expect(await conversation.prepareMessage().setBody('again').buildAndSend()).toBe(1)
  expect(engine.submitted.map(({ draft }) => draft)).toEqual([
    { type: 'message.post', body: 'hello', subject: 'news', attributes: { a: 1 } },
    { type: 'message.post', body: 'again' },
  ])
})

test('one that is cancelled before it is written is never sent', async () => {
  const { conversation, engine } = await open()
  const sending = conversation.prepareMessage().setBody('no').build().send()
  sending.cancel()
  await expect(sending).rejects.toMatchObject({ code: 20001 })
  expect(engine.submitted).toEqual([])
})

test('attachments go with it, each of its category', async () => {
  const { conversation, engine } = await open()
  const media = { contentType: 'text/plain', media: 'x' }
  const message = conversation.prepareMessage().setBody('with').addMedia(media)
  await message.setEmailBody('text/html', media).setEmailHistory('text/html', media).buildAndSend()
  expect(engine.submitted[0]?.draft).toHaveProperty('media', [
    expect.objectContaining({ category: 'media', contentType: 'text/plain' }),
    expect.objectContaining({ category: 'body', contentType: 'text/html' }),
    expect.objectContaining({ category: 'history', contentType: 'text/html' }),
  ])
})

test('templates are refused, and nothing is kept', async () => {
  const { conversation, engine } = await open()
  const refused = conversation.prepareMessage().setContentTemplate('HX1').build().send()
  await expect(refused).rejects.toMatchObject({ code: 20001 })
  expect(engine.submitted).toEqual([])
})
