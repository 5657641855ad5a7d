import { describe, expect, test, vi } from 'vitest'
import { ME, messageView, open, participantView, record, T0 } from '../test/fake-engine.ts'
import { Media, Message } from './index.ts'
import { LiveMessages } from './live-messages.ts'

async function withMessage(values: Parameters<typeof messageView>[1] = {}) {
  const opened = await open()
  opened.engine.addMessage('CH1', messageView(0, values))
  const [message] = (await opened.conversation.getMessages()).items
  return { ...opened, message: message as Message }
}

describe('what it shows', () => {
  test('a pending message has a provisional index and a date', async () => {
    const { conversation } = await open()
    await conversation.sendMessage('hello')
    const [message] = (await conversation.getMessages()).items
    expect(message).toMatchObject({ status: 'pending', index: 0, author: ME, body: 'hello', type: 'text' })
    expect(message?.dateCreated).toBeInstanceOf(Date)
  })

  test('what it hasn’t got is null, and lists are empty', async () => {
    const { message } = await withMessage()
    expect(message).toMatchObject({
      body: null,
      subject: null,
      lastUpdatedBy: null,
      participantSid: null,
      contentSid: null,
      media: null,
      attachedMedia: [],
      attributes: {},
      aggregatedDeliveryReceipt: null,
      status: 'accepted',
    })
    expect(await message.getDetailedDeliveryReceipts()).toEqual([])
    expect(await message.getContentData()).toBeNull()
  })

  test('when it was written is told beside when it was accepted', async () => {
    const { message } = await withMessage({ dateCreated: T0 + 50, dateWritten: T0 })
    expect(message.dateCreated).toEqual(new Date(T0 + 50))
    expect(message.dateWritten).toEqual(new Date(T0))
    expect(message.dateUpdated).toEqual(new Date(T0 + 50))
  })

  test('attachments show their metadata', async () => {
    const { message } = await withMessage({
      media: [{ sid: 'ME1', category: 'media', filename: 'a.png', contentType: 'image/png', size: 7 }],
    })
    expect(message.type).toBe('media')
    const [media] = message.attachedMedia ?? []
    expect(media).toBeInstanceOf(Media)
    expect(media).toMatchObject({ sid: 'ME1', filename: 'a.png', contentType: 'image/png', size: 7 })
  })

  test('its author’s participant is found by sid, or by identity; one who left is not', async () => {
    const { message, engine } = await withMessage({ author: 'bob' })
    await expect(message.getParticipant()).rejects.toMatchObject({ code: 50432 })
    engine.addPerson('CH1', participantView({ sid: 'MB1', identity: 'bob' }))
    expect((await message.getParticipant()).sid).toBe('MB1')
  })
})

describe('changing it', () => {
  test('removing goes to the engine, which may withdraw it', async () => {
    const { message, engine } = await withMessage()
    expect(await message.remove()).toBe(message)
    expect(engine.calls).toEqual([['removeMessage', 'CH1', message.sid]])
  })

  test('it shows its new text once the update has resolved, before the event', async () => {
    const { message, engine } = await withMessage()
    const heard = record(message, ['updated'])
    expect(await message.updateBody('better')).toBe(message)
    expect(message.body).toBe('better')
    expect(heard).toEqual([])
    engine.tell.messageUpdated('CH1', engine.timeline.get('CH1')![0]!, ['body'])
    expect(heard).toEqual([['updated', { message, updateReasons: ['body'] }]])
  })

  test('two reactions set at the same time both stay', async () => {
    const { message, engine } = await withMessage({ attributes: { likes: ['a'] } })
    const { likes } = message.attributes as { likes: string[] }
    const view = engine.timeline.get('CH1')![0]!
    engine.timeline.set('CH1', [{ ...view, record: { ...view.record, attributes: { likes: ['a', 'b'] } } }])
    await message.updateAttributes({ likes: [...likes, 'me'] })
    expect(engine.submitted[0]?.draft).toMatchObject({ attributes: { add: [[['likes'], ['me']]] } })
    expect(message.attributes).toEqual({ likes: ['a', 'b', 'me'] })
  })

  test('attributes that were changed in place are sent all the same', async () => {
    const { message, engine } = await withMessage({ attributes: { read: false } })
    const attributes = message.attributes as { read: boolean }
    attributes.read = true
    await message.updateAttributes(attributes)
    expect(engine.submitted[0]?.draft).toMatchObject({ attributes: { set: [[['read'], true]] } })
  })

  test('a message that is no text is refused with 20001', async () => {
    const { message } = await withMessage()
    await expect(message.updateBody(7 as never)).rejects.toMatchObject({ code: 20001 })
  })
})

describe('the object', () => {
  test('is one per message, and follows it', async () => {
    const { message, engine, conversation } = await withMessage({ status: 'pending' })
    engine.tell.messageUpdated('CH1', messageView(0, { status: 'accepted' }), ['dateCreated'])
    expect(message.status).toBe('accepted')
    expect((await conversation.getMessages()).items[0]).toBe(message)
  })

  test('whose index shifts shows its old index for ever, and another takes its place', async () => {
    const { client, message, engine } = await withMessage({ status: 'pending' })
    const heard = record(client, ['messageRemoved', 'messageAdded'])
    const shifted = messageView(1, { sid: message.sid })
    engine.timeline.set('CH1', [messageView(0, { sid: 'IMother' }), shifted])
    engine.tell.messageRemoved('CH1', messageView(0, { sid: message.sid, status: 'pending' }))
    engine.tell.messageAdded('CH1', messageView(0, { sid: 'IMother' }))
    engine.tell.messageAdded('CH1', shifted)
    const [removed, other, added] = heard.map(([, one]) => one as Message)
    expect(heard.map(([event]) => event)).toEqual(['messageRemoved', 'messageAdded', 'messageAdded'])
    expect(removed).toBe(message)
    expect([removed?.index, other?.index, added?.index]).toEqual([0, 0, 1])
    expect(added?.sid).toBe(message.sid)
    expect(added).not.toBe(message)
  })

  test('is not made for messages that nobody asked for', async () => {
    const { client, engine, conversation } = await open()
    const made = vi.spyOn(LiveMessages.prototype, 'get')
    const arrive = (index: number) =>
      engine.tell.messageAdded('CH1', engine.addMessage('CH1', messageView(index)))
    arrive(0)
    engine.tell.messageUpdated('CH1', messageView(0, { body: 'edited' }), ['body'])
    expect(made).not.toHaveBeenCalled()
    client.on('messageAdded', () => {})
    arrive(1)
    expect(made).toHaveBeenCalledTimes(1)
    const before = (await conversation.getMessages()).items
    const again = (await conversation.getMessages()).items
    expect(before.every((message, i) => message === again[i])).toBe(true)
  })

  test('that was removed can still be replayed to whoever listens late', async () => {
    const { conversation, engine } = await open()
    engine.tell.messageRemoved('CH1', messageView(4))
    const heard: number[] = []
    conversation.onWithReplay('messageRemoved', ({ index }) => heard.push(index))
    expect(heard).toEqual([4])
  })

  test('is a Message', async () => {
    const { message } = await withMessage()
    expect(message).toBeInstanceOf(Message)
    expect(Message.updated).toBe('updated')
  })
})
