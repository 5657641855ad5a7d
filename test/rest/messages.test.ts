/** Messages and receipts by the official package, with SDK clients watching. */
import type { Message } from '@confab/client'
import { describe, expect, test } from 'vitest'
import { event, onStage, person, refusal, SERVICE } from './stage.ts'

test('are posted, edited and removed as on devices, which hear of each', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation()).join()
  const { messages } = rest.conversations(conversation.sid)
  const arrived = event<Message>(conversation, 'messageAdded')
  const posted = await messages.create({
    author: 'ada',
    body: 'Grüße 🍵',
    attributes: '{"tags":["a"]}',
    subject: 'Tea',
  })
  expect(await arrived).toMatchObject({ sid: posted.sid, body: 'Grüße 🍵', subject: 'Tea' })
  expect(posted).toMatchObject({
    body: 'Grüße 🍵',
    attributes: '{"tags":["a"]}',
    index: 0,
    media: null,
    delivery: null,
    contentSid: null,
  })
  expect(posted.participantSid).toBe((await conversation.getParticipantByIdentity('ada')).sid)

  const edited = event<{ message: Message }>(conversation, 'messageUpdated')
  const update = await messages(posted.sid).update({ body: 'Grüße!', attributes: '{"tags":["b"]}' })
  expect(update).toMatchObject({ body: 'Grüße!', attributes: '{"tags":["b"]}', author: 'ada' })
  expect((await edited).message).toMatchObject({ body: 'Grüße!', attributes: { tags: ['b'] } })

  const removed = event<Message>(conversation, 'messageRemoved')
  expect(await messages(posted.sid).remove()).toBe(true)
  expect((await removed).sid).toBe(posted.sid)
  expect(await refusal(messages(posted.sid).fetch())).toMatchObject({ code: 20404, status: 404 })
  expect(await messages.list()).toEqual([])
  expect(await messages.create({ body: 'next' })).toMatchObject({ index: 1, author: 'system' })
})

describe('lists', () => {
  test('go either way by index, over gaps, and pages fit together', async () => {
    const { rest } = await onStage()
    const { sid } = await rest.conversations.create()
    const { messages } = rest.conversations(sid)
    const made = []
    for (let i = 0; i < 8; i++) made.push(await messages.create({ body: `m${i}` }))
    await messages(made[3]?.sid as string).remove()
    const expected = ['m0', 'm1', 'm2', 'm4', 'm5', 'm6', 'm7']
    const bodies = (list: { body: string }[]) => list.map(({ body }) => body)
    expect(bodies(await messages.list({ pageSize: 2 }))).toEqual(expected)
    expect(bodies(await messages.list({ pageSize: 3, order: 'desc' }))).toEqual([...expected].reverse())
    for (const order of ['asc', 'desc'] as const) {
      const wanted = order === 'asc' ? expected : [...expected].reverse()
      const first = await messages.page({ pageSize: 3, order })
      const second = await first.nextPage()
      const third = await second?.nextPage()
      expect(bodies(third?.instances ?? [])).toEqual(wanted.slice(6))
      const back = await third?.previousPage()
      expect(bodies(back?.instances ?? [])).toEqual(wanted.slice(3, 6))
      expect(bodies((await back?.previousPage())?.instances ?? [])).toEqual(wanted.slice(0, 3))
    }
  })

  test('reach into sealed history', async () => {
    const { rest, url } = await onStage({ sealing: { messages: 20, pageMessages: 10 } })
    const ada = await person({ url }, 'ada')
    const conversation = await (await ada.createConversation()).join()
    const last = event<Message>(conversation, 'messageAdded', ({ index }) => index === 99)
    for (let i = 0; i < 100; i++) void conversation.sendMessage(`m${i}`)
    await last
    const all = await rest.conversations(conversation.sid).messages.list({ pageSize: 40 })
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(all[7]).toMatchObject({ body: 'm7', author: 'ada' })
    const sid = all[7]?.sid as string
    expect(await rest.conversations(conversation.sid).messages(sid).update({ body: 'seven' })).toMatchObject({
      index: 7,
      body: 'seven',
    })
  })
})

test('receipts say how far a message came with people who have no SDK', async () => {
  const { rest, system } = await onStage()
  const { sid } = await rest.conversations.create()
  const sms = await rest.conversations(sid).participants.create({
    'messagingBinding.address': '+14155550101',
    'messagingBinding.proxyAddress': '+14155550999',
  })
  const { messages } = rest.conversations(sid)
  const posted = await messages.create({ body: 'Hello' })
  expect(posted.delivery).toMatchObject({ total: 1, sent: 'none', delivered: 'none', read: 'none' })
  const [queued] = await messages(posted.sid).deliveryReceipts.list()
  expect(queued).toMatchObject({ status: 'queued', errorCode: 0, participantSid: sms.sid })
  await system.submit(SERVICE, sid, {
    id: '0'.repeat(32),
    type: 'message.report',
    dateWritten: 0,
    sid: posted.sid,
    receipts: [
      { participantSid: sms.sid, status: 'undelivered', errorCode: 30003, channelMessageSid: 'SM1' },
    ],
  })
  const receipt = await messages(posted.sid)
    .deliveryReceipts(queued?.sid as string)
    .fetch()
  expect(receipt).toMatchObject({
    status: 'undelivered',
    errorCode: 30003,
    channelMessageSid: 'SM1',
    messageSid: posted.sid,
    conversationSid: sid,
  })
  expect((await messages(posted.sid).fetch()).delivery).toMatchObject({ total: 1, undelivered: 'all' })
  expect(
    await refusal(
      messages(posted.sid)
        .deliveryReceipts(`DY${'0'.repeat(32)}`)
        .fetch(),
    ),
  ).toMatchObject({ code: 20404 })
})

test('what can’t be posted is refused by its code, and nothing is there', async () => {
  const { rest } = await onStage()
  const { sid } = await rest.conversations.create()
  const { messages } = rest.conversations(sid)
  expect(await refusal(messages.create({ body: 'x'.repeat(32 * 1024 + 1) }))).toMatchObject({ code: 70101 })
  expect(
    await refusal(messages.create({ attributes: JSON.stringify({ a: 'x'.repeat(5000) }) })),
  ).toMatchObject({ code: 70102 })
  expect(await refusal(messages.create({ body: 'x', attributes: 'no' }))).toMatchObject({ code: 20001 })
  expect(await refusal(messages.create({ contentSid: 'HX1' }))).toMatchObject({ code: 20001 })
  expect(await refusal(messages('IMnone').fetch())).toMatchObject({ code: 20404 })
  expect(await messages.list()).toEqual([])
})
