/** Conversations by the official package, with SDK clients watching. */
import type { Client, Conversation, Message } from '@confab/client'
import { describe, expect, test } from 'vitest'
import { ACCOUNT, event, onStage, person, refusal, SERVICE } from './stage.ts'

test('a conversation that a server creates appears on its members’ devices, and its messages arrive', async () => {
  const { rest, url, failures } = await onStage()
  const ada = await person({ url }, 'ada')
  const joined = event<Conversation>(ada, 'conversationJoined')
  const made = await rest.conversations.create({
    friendlyName: 'Tea',
    uniqueName: 'tea',
    attributes: '{"room":1}',
    'timers.inactive': 'PT10M',
  })
  expect(made).toMatchObject({
    accountSid: ACCOUNT,
    chatServiceSid: SERVICE,
    friendlyName: 'Tea',
    uniqueName: 'tea',
    attributes: '{"room":1}',
    state: 'active',
  })
  expect(made.timers).toMatchObject({ inactive: 'PT10M' })
  const added = await rest.conversations('tea').participants.create({ identity: 'ada' })
  const seen = await joined
  expect(seen).toMatchObject({ sid: made.sid, friendlyName: 'Tea', uniqueName: 'tea' })
  expect((await seen.getParticipantByIdentity('ada')).sid).toBe(added.sid)

  const arrived = event<Message>(seen, 'messageAdded')
  const posted = await rest.conversations(made.sid).messages.create({ author: 'support', body: 'Hello' })
  expect(posted).toMatchObject({ index: 0, author: 'support', body: 'Hello', conversationSid: made.sid })
  expect(await arrived).toMatchObject({ sid: posted.sid, body: 'Hello', author: 'support', index: 0 })

  const left = event<Conversation>(ada, 'conversationLeft')
  await rest.conversations(made.sid).participants('ada').remove()
  await left
  await rest.conversations(made.sid).remove()
  expect(await refusal(rest.conversations('tea').fetch())).toMatchObject({ code: 20404, status: 404 })
  expect(failures).toEqual([])
})

test('a change reaches devices, and a device’s change is what a server fetches', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation({ friendlyName: 'Tea' })).join()
  const named = event(conversation, 'updated', () => conversation.friendlyName === 'Coffee')
  const updated = await rest
    .conversations(conversation.sid)
    .update({ friendlyName: 'Coffee', uniqueName: 'coffee', attributes: '{"cups":2}' })
  expect(updated).toMatchObject({ friendlyName: 'Coffee', uniqueName: 'coffee', attributes: '{"cups":2}' })
  await named
  expect(conversation.attributes).toEqual({ cups: 2 })
  await conversation.updateFriendlyName('Cocoa')
  expect(await rest.conversations('coffee').fetch()).toMatchObject({
    sid: conversation.sid,
    friendlyName: 'Cocoa',
  })
  expect(await rest.conversations('coffee').update({ uniqueName: '' })).toMatchObject({ uniqueName: null })
  expect(await refusal(rest.conversations('coffee').fetch())).toMatchObject({ code: 20404 })
})

test('a conversation that is removed leaves its members’ devices', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const { sid } = await (await ada.createConversation()).join()
  const removed = event<Conversation>(ada, 'conversationRemoved')
  expect(await rest.conversations(sid).remove()).toBe(true)
  expect((await removed).sid).toBe(sid)
  expect(await rest.conversations.list()).toEqual([])
})

describe('states', () => {
  test('are set, and closing is final', async () => {
    const { rest } = await onStage()
    const { sid } = await rest.conversations.create({ state: 'inactive' })
    expect(await rest.conversations(sid).fetch()).toMatchObject({ state: 'inactive' })
    await rest.conversations(sid).messages.create({ body: 'Anybody?' })
    expect(await rest.conversations(sid).fetch()).toMatchObject({ state: 'active' })
    expect(await rest.conversations(sid).update({ state: 'closed' })).toMatchObject({ state: 'closed' })
    expect(await refusal(rest.conversations(sid).update({ state: 'active' }))).toMatchObject({ code: 50377 })
    expect(await refusal(rest.conversations(sid).messages.create({ body: 'x' }))).toMatchObject({
      code: 50382,
    })
  })

  test('by timers: too short, and none at all, are refused by their codes', async () => {
    const { rest } = await onStage()
    expect(await refusal(rest.conversations.create({ 'timers.inactive': 'PT5S' }))).toMatchObject({
      code: 50376,
      status: 400,
    })
    expect(await refusal(rest.conversations.create({ 'timers.closed': 'soon' }))).toMatchObject({
      code: 50375,
    })
    expect(await rest.conversations.list()).toEqual([])
  })

  test('timers of the configuration are a new conversation’s, by whomever it is created', async () => {
    const { rest, url } = await onStage()
    await rest.configuration().update({ defaultClosedTimer: 'PT20M' })
    expect(await rest.configuration().fetch()).toMatchObject({
      defaultClosedTimer: 'PT20M',
      defaultInactiveTimer: null,
      defaultChatServiceSid: SERVICE,
    })
    const ada = await person({ url }, 'ada')
    const { sid } = await (await ada.createConversation()).join()
    const made = await rest.conversations.create()
    for (const one of [sid, made.sid])
      expect((await rest.conversations(one).fetch()).timers).toMatchObject({ closed: 'PT20M' })
    expect(await refusal(rest.configuration().update({ defaultInactiveTimer: 'PT1S' }))).toMatchObject({
      code: 50376,
    })
  })
})

describe('unique names', () => {
  test('that are taken refuse the whole of a creation, and of a change', async () => {
    const { rest } = await onStage()
    const first = await rest.conversations.create({ uniqueName: 'one' })
    const second = await rest.conversations.create({})
    expect(await refusal(rest.conversations.create({ uniqueName: 'one' }))).toMatchObject({
      code: 50353,
      status: 409,
    })
    expect(await refusal(rest.conversations(second.sid).update({ uniqueName: 'one' }))).toMatchObject({
      code: 50353,
    })
    const all = await rest.conversations.list()
    expect(all.map(({ sid }) => sid).sort()).toEqual([first.sid, second.sid].sort())
    await rest.conversations('one').remove()
    expect(await rest.conversations.create({ uniqueName: 'one' })).toMatchObject({ uniqueName: 'one' })
  })

  test('two servers that ask for one at once get one conversation', async () => {
    const { rest } = await onStage()
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => rest.conversations.create({ uniqueName: 'race' })),
    )
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await rest.conversations.list()).toHaveLength(1)
  })
})

describe('lists', () => {
  const sids = (list: { sid: string }[]) => list.map(({ sid }) => sid)

  async function withConversations(count: number) {
    const stage = await onStage()
    const made: string[] = []
    for (let i = 0; i < count; i++) {
      const { sid } = await stage.rest.conversations.create({ friendlyName: `n${i}` })
      made.push(sid)
    }
    return { ...stage, made }
  }

  test('come by pages that neither skip nor repeat, forwards and back, while others add', async () => {
    const { rest, made } = await withConversations(7)
    const first = await rest.conversations.page({ pageSize: 3 })
    expect(sids(first.instances)).toEqual(made.slice(0, 3))
    expect(await first.previousPage()).toBeUndefined()
    const later = await rest.conversations.create({ friendlyName: 'later' })
    const second = await first.nextPage()
    expect(sids(second?.instances ?? [])).toEqual(made.slice(3, 6))
    await rest.conversations(made[3] as string).remove()
    const third = await second?.nextPage()
    expect(sids(third?.instances ?? [])).toEqual([made[6], later.sid])
    expect(await third?.nextPage()).toBeUndefined()
    const back = await third?.previousPage()
    expect(sids(back?.instances ?? [])).toEqual([made[2], made[4], made[5]])
    const start = await back?.previousPage()
    expect(sids(start?.instances ?? [])).toEqual(made.slice(0, 2))
    expect(await start?.previousPage()).toBeUndefined()
    expect(sids(await rest.conversations.list({ pageSize: 2 }))).toEqual([
      ...made.filter((_, i) => i !== 3),
      later.sid,
    ])
    expect(await rest.conversations.list({ limit: 4 })).toHaveLength(4)
  })

  test('show those of a state, and of days', async () => {
    const { rest, made } = await withConversations(3)
    await rest.conversations(made[1] as string).update({ state: 'closed' })
    expect(sids(await rest.conversations.list({ state: 'closed' }))).toEqual([made[1]])
    expect(sids(await rest.conversations.list({ state: 'active' }))).toEqual([made[0], made[2]])
    const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10)
    expect(sids(await rest.conversations.list({ startDate: day(0), endDate: day(0) }))).toEqual(made)
    expect(await rest.conversations.list({ startDate: day(1) })).toEqual([])
    expect(await rest.conversations.list({ endDate: day(-1) })).toEqual([])
    expect(await refusal(rest.conversations.list({ startDate: 'yesterday' }))).toMatchObject({ code: 20001 })
  })
})

describe('with participants', () => {
  test('a conversation and everybody in it come by one request, or nothing does', async () => {
    const { rest, url } = await onStage()
    const ada: Client = await person({ url }, 'ada')
    const joined = event<Conversation>(ada, 'conversationJoined')
    const made = await rest.conversationWithParticipants.create({
      friendlyName: 'Tea',
      participant: [
        '{"identity":"ada"}',
        '{"messaging_binding":{"address":"+14155550101","proxy_address":"+14155550999"}}',
      ],
    })
    expect((await joined).sid).toBe(made.sid)
    const people = await rest.conversations(made.sid).participants.list()
    expect(people.map(({ identity }) => identity).sort()).toEqual(['ada', null])
    const failed = rest.conversationWithParticipants.create({
      participant: ['{"identity":"bob"}', '{"identity":"bob"}'],
    })
    expect(await refusal(failed)).toMatchObject({ code: 50433 })
    expect(await rest.conversations.list()).toHaveLength(1)
    for (const participant of [
      'no JSON',
      '[]',
      '{"identity":7}',
      '{"name":"x"}',
      '{"identity":"x","attributes":"{"}',
    ])
      expect(
        await refusal(rest.conversationWithParticipants.create({ participant: [participant] })),
      ).toMatchObject({ code: 20001, status: 400 })
  })
})
