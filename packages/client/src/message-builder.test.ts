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

test('attachments and templates are refused, and nothing is kept', async () => {
  const { conversation, engine } = await open()
  const media = { contentType: 'text/plain', media: 'x' }
  for (const refused of [
    conversation.prepareMessage().setBody('x').addMedia(media).build().send(),
    conversation.prepareMessage().setEmailBody('text/html', media).build().send(),
    conversation.prepareMessage().setEmailHistory('text/html', new FormData()).build().send(),
    conversation.prepareMessage().setContentTemplate('HX1').build().send(),
  ]) {
    await expect(refused).rejects.toMatchObject({ code: 20001 })
  }
  expect(engine.submitted).toEqual([])
})
