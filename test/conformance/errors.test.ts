/** Errors as apps render them: `e.message`, `e.code`, `e.status`, `e.body.{code,message,status}`. */
import { ConfabError, type Conversation } from '@confab/client'
import { describe, expect, test } from 'vitest'
import { connected, decided, errorOf, next, relayOf, startWith, together, tokenOf } from './stage.ts'

async function alices(options = {}) {
  const relay = await relayOf(options)
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  return { relay, alice, conversation: conversation as Conversation }
}

const TOO_LONG: [string, number, (conversation: Conversation) => Promise<unknown>][] = [
  ['a friendlyName of 257 characters', 70103, (one) => one.updateFriendlyName('x'.repeat(257))],
  ['attributes of a conversation above 16 KB', 70102, (one) => one.updateAttributes('x'.repeat(16_400))],
  ['attributes of a message above 4 KB', 70102, (one) => one.sendMessage('', 'x'.repeat(4100))],
  ['a body above 32 KB', 70101, (one) => one.sendMessage('x'.repeat(32_800))],
  ['an identity of 257 characters', 20001, (one) => one.add('x'.repeat(257))],
]

describe('errors', () => {
  test('always carry code, status, message and body: { code, message, status }, and are Errors', async () => {
    const { conversation } = await alices()
    await conversation.add('bob')
    const error = (await errorOf(conversation.add('bob'))) as ConfabError
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(ConfabError)
    const { code, status, message, body } = error
    expect({ code, status }).toEqual({ code: 50433, status: 409 })
    expect(body).toEqual({ code, message, status })
    expect(message).not.toBe('')
  })

  test.each(TOO_LONG)(
    'limits: %s is refused at once (%i), before the network would',
    async (_, code, act) => {
      const { alice, conversation } = await alices()
      await alice.goOffline()
      const before = alice.getPendingOperations().length
      expect(await errorOf(act(conversation))).toMatchObject({ code, body: { code } })
      expect(alice.getPendingOperations()).toHaveLength(before)
    },
  )

  test('at the limit all of that is taken, by the relay too', async () => {
    const { alice, conversation } = await alices()
    await conversation.updateFriendlyName('x'.repeat(256))
    await conversation.updateAttributes('x'.repeat(16 * 1024 - 2))
    await conversation.sendMessage('x'.repeat(32 * 1024), 'x'.repeat(4096 - 2))
    await conversation.add('x'.repeat(256))
    await decided(alice)
    expect(alice.getHeldOperations()).toEqual([])
  })

  test('of addresses: 50407 and 50408 bad ones, 50409 the same, 50414 types that don’t match', async () => {
    const { conversation } = await alices()
    const add = (proxy: string, address: string) =>
      errorOf(conversation.addNonChatParticipant(proxy, address))
    expect(await add('+15550001111', 'nonsense')).toMatchObject({ code: 50407, status: 400 })
    expect(await add('nonsense', '+15550001111')).toMatchObject({ code: 50408 })
    expect(await add('+15550001111', '+15550001111')).toMatchObject({ code: 50409 })
    expect(await add('+15550001111', 'whatsapp:+15550002222')).toMatchObject({ code: 50414 })
  })

  test('50416 and 50425: a pair in use, elsewhere and here', async () => {
    const { alice, conversation } = await alices()
    const [other] = await together(alice)
    await conversation.addNonChatParticipant('+15550001111', '+15550002222')
    const add = (one?: Conversation) => errorOf(one!.addNonChatParticipant('+15550001111', '+15550002222'))
    expect(await add(other)).toMatchObject({ code: 50416, status: 409 })
    expect([50425, 50433]).toContain(((await add(conversation)) as ConfabError).code)
  })

  test('50417 and 50418: too many participants, of the relay’s own limits', async () => {
    const { conversation } = await alices({ limits: { participants: 3, nonChatParticipants: 1 } })
    await conversation.addNonChatParticipant('+15550001111', '+15550002222')
    const another = conversation.addNonChatParticipant('+15550001111', '+15550003333')
    expect(await errorOf(another)).toMatchObject({ code: 50418 })
    await conversation.add('bob')
    expect(await errorOf(conversation.add('carol'))).toMatchObject({ code: 50417 })
  })

  test('20404: to anyone else a conversation looks exactly like one that doesn’t exist', async () => {
    const { relay, conversation } = await alices()
    const eve = await connected('eve', relay)
    const answer = async (sid: string) => {
      const { code, status, message, body } = (await errorOf(eve.getConversationBySid(sid))) as ConfabError
      return JSON.stringify({ code, status, message, body }).replaceAll(sid, '')
    }
    expect(await answer(conversation.sid)).toBe(await answer(`CH${'0'.repeat(32)}`))
    expect(JSON.parse(await answer(conversation.sid))).toMatchObject({ code: 20404, status: 404 })
  })

  test('20003: a token that the relay doesn’t take is told by connectionError, and state denied', async () => {
    const relay = await relayOf()
    const token = await tokenOf('alice', relay.url)
    const client = startWith(`${token.slice(0, -4)}AAAA`)
    const error = await next(client, 'connectionError')
    expect(error).toMatchObject({ terminal: true, errorCode: 20003, httpStatusCode: 401 })
    expect(client.connectionState).toBe('denied')
  })

  test('of a call that is malformed: 20001', async () => {
    const { conversation } = await alices()
    expect(await errorOf(conversation.sendMessage(7 as never))).toMatchObject({ code: 20001 })
    expect(await errorOf(conversation.add(''))).toMatchObject({ code: 20001 })
    expect(await errorOf(conversation.advanceLastReadMessageIndex(-1))).toMatchObject({ code: 20001 })
    const circular: Record<string, unknown> = {}
    circular.self = circular
    expect(await errorOf(conversation.sendMessage('', circular as never))).toMatchObject({ code: 70104 })
  })
})
