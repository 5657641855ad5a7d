/** Messages: indices, pending ones, what they show, changing and removing them. */
import type { Conversation, HeldOperation, Message } from '@confab/client'
import type { RelayOptions } from '@confab/relay'
import { describe, expect, test } from 'vitest'
import { connected, decided, heard, laterTask, next, relayOf, shown, shows, together } from './stage.ts'

async function aliceAndBob() {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [conversation, bobs] = await together(alice, bob)
  return { alice, bob, conversation: conversation as Conversation, bobs: bobs as Conversation }
}

const at = async (conversation: Conversation, index: number): Promise<Message> =>
  (await conversation.getMessages(1, index)).items[0] as Message

describe('indices', () => {
  test('are 0-based, and consecutive when assigned; sendMessage resolves to the index', async () => {
    const { conversation, bobs } = await aliceAndBob()
    expect(await conversation.sendMessage('a')).toBe(0)
    await shows(bobs, ['0 a'])
    expect(await bobs.sendMessage('b')).toBe(1)
    await shows(conversation, ['0 a', '1 b'])
    expect(await conversation.sendMessage('c')).toBe(2)
    await shows(bobs, ['0 a', '1 b', '2 c'])
  })

  test('a removal leaves a gap, and none is reused, not the newest’s either', async () => {
    const { conversation, bobs } = await aliceAndBob()
    for (const body of ['a', 'b', 'c']) await conversation.sendMessage(body)
    await (await at(conversation, 1)).remove()
    await (await at(conversation, 2)).remove()
    await shows(bobs, ['0 a'])
    expect(await bobs.getMessagesCount()).toBe(1)
    expect(await bobs.sendMessage('d')).toBe(3)
    await shows(conversation, ['0 a', '3 d'])
  })

  test('a pending message sits after the last accepted one with a provisional index, and counts', async () => {
    const { alice, conversation } = await aliceAndBob()
    await conversation.sendMessage('accepted')
    await decided(alice)
    await alice.goOffline()
    expect(await conversation.sendMessage('later')).toBe(1)
    expect(await shown(conversation)).toEqual(['0 accepted', '1 later …'])
    expect(await conversation.getMessagesCount()).toBe(2)
    expect(conversation.lastMessage?.index).toBe(1)
  })

  test('accepted with its provisional index: messageUpdated, on the same object', async () => {
    const { alice, conversation } = await aliceAndBob()
    await alice.goOffline()
    const added = next<Message>(conversation, 'messageAdded')
    await conversation.sendMessage('patient')
    const message = await added
    const events = heard(conversation, ['messageAdded', 'messageRemoved'])
    const updated = next<{ message: Message }>(conversation, 'messageUpdated')
    await alice.goOnline()
    expect((await updated).message).toBe(message)
    expect(message).toMatchObject({ index: 0, status: 'accepted' })
    expect(events).toEqual([])
  })

  test('its index changes: messageRemoved for all shifted (old index still readable), messageAdded for the others’, then for the own', async () => {
    const { alice, conversation, bobs } = await aliceAndBob()
    await alice.goOffline()
    await conversation.sendMessage('mine')
    await conversation.sendMessage('mine too')
    await laterTask()
    await bobs.sendMessage('theirs')
    await bobs.sendMessage('theirs too')
    const tasks: string[][] = []
    const tell = (event: string) => (message: Message) => {
      if (tasks.length === 0) setImmediate(() => tasks.push([]))
      tasks[0] ??= []
      tasks.at(-1)?.push(`${event} ${message.index} ${message.body}`)
    }
    conversation.on('messageRemoved', tell('removed')).on('messageAdded', tell('added'))
    await alice.goOnline()
    await decided(alice)
    await laterTask()
    expect(tasks[0]).toEqual([
      'removed 0 mine',
      'removed 1 mine too',
      'added 0 theirs',
      'added 1 theirs too',
      'added 2 mine',
      'added 3 mine too',
    ])
    expect(tasks.slice(1).flat()).toEqual([])
    await shows(bobs, ['0 theirs', '1 theirs too', '2 mine', '3 mine too'])
  })

  test('messages of one device are accepted in the order it wrote them', async () => {
    const { alice, conversation, bobs } = await aliceAndBob()
    await alice.goOffline()
    for (let n = 0; n < 20; n++) await conversation.sendMessage(`${n}`)
    await alice.goOnline()
    await shows(
      bobs,
      Array.from({ length: 20 }, (_, n) => `${n} ${n}`),
    )
  })
})

describe('what a message shows', () => {
  test('dates are Date; a pending message’s dateCreated is its dateWritten, never null', async () => {
    const { alice, conversation } = await aliceAndBob()
    await alice.goOffline()
    await conversation.sendMessage('offline')
    const message = await at(conversation, 0)
    expect(message.dateCreated).toBeInstanceOf(Date)
    expect(message.dateCreated).toEqual(message.dateWritten)
    const { dateWritten } = message
    await alice.goOnline()
    await decided(alice)
    expect(message.dateWritten).toEqual(dateWritten)
    expect(Number(message.dateCreated)).toBeGreaterThanOrEqual(Number(dateWritten))
    expect(message.dateUpdated).toBeInstanceOf(Date)
  })

  test('dateCreated is the relay’s acceptance time, so it ascends with index', async () => {
    const { alice, conversation, bobs } = await aliceAndBob()
    await alice.goOffline()
    await conversation.sendMessage('written first')
    await bobs.sendMessage('accepted first')
    await alice.goOnline()
    await shows(bobs, ['0 accepted first', '1 written first'])
    const [first, second] = (await bobs.getMessages()).items as [Message, Message]
    expect(Number(second.dateCreated)).toBeGreaterThanOrEqual(Number(first.dateCreated))
    expect(Number(second.dateWritten)).toBeLessThanOrEqual(Number(first.dateCreated))
  })

  test('its sid never changes; author, participant and type are as apps expect', async () => {
    const { alice, conversation, bobs } = await aliceAndBob()
    await alice.goOffline()
    await conversation.sendMessage('hello')
    const { sid } = await at(conversation, 0)
    expect(sid).toMatch(/^IM[0-9a-f]{32}$/)
    await alice.goOnline()
    await shows(bobs, ['0 hello'])
    const message = await at(bobs, 0)
    const participant = await bobs.getParticipantByIdentity('alice')
    expect(message).toMatchObject({ sid, author: 'alice', type: 'text', participantSid: participant.sid })
    expect(await message.getParticipant()).toBe(participant)
  })

  test('attributes are parsed JSON, {} by default; body is null for a message of attributes alone', async () => {
    const { conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('plain')
    await conversation.sendMessage(null, { card: [1, { deep: null }] })
    await shows(bobs, ['0 plain', '1 null'])
    expect((await at(bobs, 0)).attributes).toEqual({})
    expect(await at(bobs, 1)).toMatchObject({ body: null, attributes: { card: [1, { deep: null }] } })
  })
})

describe('changing a message', () => {
  test('everybody sees who edited it and when; the author’s own object shows it at once', async () => {
    const { conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('draft')
    await shows(bobs, ['0 draft'])
    const message = await at(conversation, 0)
    const updated = next<{ message: Message; updateReasons: string[] }>(bobs, 'messageUpdated')
    expect(await message.updateBody('final')).toBe(message)
    expect(message.body).toBe('final')
    const { message: seen, updateReasons } = await updated
    expect(seen).toMatchObject({ body: 'final', lastUpdatedBy: 'alice', index: 0 })
    expect(updateReasons).toEqual(expect.arrayContaining(['body', 'lastUpdatedBy', 'dateUpdated']))
  })

  test('attributes merge: two people reacting offline both keep their reaction', async () => {
    const { alice, bob, conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('react!', { reactions: { heart: [] } })
    await shows(bobs, ['0 react!'])
    await Promise.all([alice.goOffline(), bob.goOffline()])
    await (await at(conversation, 0)).updateAttributes({ reactions: { heart: ['alice'] } })
    await (await at(bobs, 0)).updateAttributes({ reactions: { heart: ['bob'], smile: ['bob'] } })
    await alice.goOnline()
    await decided(alice)
    const merged = next<{ message: Message }>(conversation, 'messageUpdated')
    await bob.goOnline()
    const { reactions } = (await merged).message.attributes as { reactions: Record<string, string[]> }
    expect([reactions.heart?.sort(), reactions.smile]).toEqual([['alice', 'bob'], ['bob']])
  })

  test('a channel user may set attributes of others’ messages, and not their text', async () => {
    const { conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('alice’s')
    await shows(bobs, ['0 alice’s'])
    await (await at(bobs, 0)).updateAttributes({ liked: true })
    await expect((await at(bobs, 0)).updateBody('bob’s')).rejects.toMatchObject({ code: 20403 })
    await expect((await at(bobs, 0)).remove()).rejects.toMatchObject({ code: 20403 })
    expect(await shown(bobs)).toEqual(['0 alice’s'])
  })

  test('a removed one is told by messageRemoved with the index that it had', async () => {
    const { conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('first')
    await conversation.sendMessage('slip')
    await shows(bobs, ['0 first', '1 slip'])
    const removed = next<Message>(bobs, 'messageRemoved')
    await (await at(conversation, 1)).remove()
    expect(await removed).toMatchObject({ index: 1, body: 'slip' })
    expect(bobs.lastMessage?.index).toBe(0)
  })
})

describe('a refused message', () => {
  const kind: RelayOptions['hooks'] = {
    beforeCommit: ({ operation }) =>
      operation.type === 'message.post' && operation.body === 'rude' ? { refuse: 'Be kind' } : undefined,
  }

  test('rejects its promise when the refusal comes at once, and its text is held', async () => {
    const alice = await connected('alice', await relayOf({ hooks: kind }))
    const [conversation] = await together(alice)
    const error = { code: 70301, message: 'Be kind', body: { code: 70301, message: 'Be kind' } }
    await expect(conversation!.sendMessage('rude')).rejects.toMatchObject(error)
    expect(await shown(conversation!)).toEqual([])
    expect(alice.getHeldOperations()).toMatchObject([{ operation: { body: 'rude' }, error: { code: 70301 } }])
  })

  test('leaves the timeline (messageRemoved) and lives on as a held operation only', async () => {
    const alice = await connected('alice', await relayOf({ hooks: kind }))
    const [conversation] = await together(alice)
    await alice.goOffline()
    await conversation?.sendMessage('rude')
    await conversation?.sendMessage('kind')
    await laterTask()
    const removed = next<Message>(conversation!, 'messageRemoved')
    const refused = next<HeldOperation>(alice, 'operationRefused')
    await alice.goOnline()
    expect(await removed).toMatchObject({ body: 'rude', index: 0 })
    expect((await refused).error).toMatchObject({ code: 70301, message: 'Be kind' })
    await shows(conversation!, ['0 kind'])
    expect(alice.getHeldOperations().map(({ operation }) => operation.body)).toEqual(['rude'])
  })
})
