/** The hooks, rendered, over real clients on a real relay. */
import type { Client, ClientStorage, Conversation, Message } from '@confab/client'
import { memory } from '@confab/client'
import { act, createElement, memo, Suspense } from 'react'
import { renderToString } from 'react-dom/server'
import { afterEach, describe, expect, test } from 'vitest'
import { connected, decided, joined, relayOf, start, together } from '../../../test/conformance/stage.ts'
import type { Storage } from '../../client/src/storage/storage.ts'
import {
  ConfabProvider,
  useClient,
  useConnection,
  useConversation,
  useConversations,
  useDiagnostics,
  useHeldOperations,
  useMessage,
  useMessages,
  useParticipants,
  usePendingOperations,
  useSearch,
  useTyping,
  useUnread,
  useUser,
} from '../src/index.ts'
import { clear, show, until } from './stage.ts'

afterEach(clear)

const within = (client: Client | null, component: () => unknown) =>
  createElement(ConfabProvider, { client }, createElement(component as unknown as () => null))

/** A component that is nothing but text. */
const text = (give: () => unknown) => () => String(give())

async function pair() {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [asAlice, asBob] = (await together(alice, bob)) as [Conversation, Conversation]
  return { relay, alice, bob, asAlice, asBob }
}

test('without a provider, and without a client, it is said what is missing', async () => {
  const NeedsClient = text(() => useClient().user.identity)
  expect(() => renderToString(createElement(NeedsClient as unknown as () => null))).toThrow(
    /needs a <ConfabProvider>/,
  )
  expect(() => renderToString(within(null, NeedsClient))).toThrow(/has no client yet/)
  const Waits = text(() => JSON.stringify([useConnection().state, useConversations().isLoading]))
  expect(renderToString(within(null, Waits))).toContain('unknown')
})

test('the connection is shown as it comes and goes', async () => {
  const { relay, alice } = await pair()
  const shown = await show(
    within(
      alice,
      text(() => useConnection().state),
    ),
  )
  expect(shown.text()).toBe('connected')
  await act(() => relay.close())
  await until(() => shown.text() !== 'connected')
})

test('conversations are listed with the newest message first, and rows follow their own', async () => {
  const { alice, bob, asBob } = await pair()
  const Row = memo(({ conversation }: { conversation: Conversation }) => {
    const one = useConversation(conversation)
    const unread = useUnread(one)
    return `${one?.friendlyName} ${one?.lastMessage?.index ?? '-'} ${unread ?? '-'};`
  })
  const List = () => {
    const { conversations, isLoading } = useConversations()
    if (isLoading) return 'loading'
    return conversations.map((conversation) => createElement(Row, { key: conversation.sid, conversation }))
  }
  const shown = await show(within(alice, List))
  await until(() => shown.text() === 'Tea - -;')
  const other = await (await alice.createConversation({ friendlyName: 'Coffee' })).join()
  await until(() => shown.text() === 'Coffee - -;Tea - -;')
  await act(() => asBob.sendMessage('hello').then(() => {}))
  await until(() => shown.text() === 'Tea 0 -;Coffee - -;')
  await act(() => other.updateFriendlyName('Mocha').then(() => {}))
  await until(() => shown.text() === 'Tea 0 -;Mocha - -;')
  await act(async () => void (await other.leave()))
  await until(() => shown.text() === 'Tea 0 -;')
  expect(bob.connectionState).toBe('connected')
})

describe('messages', () => {
  const Row = memo(({ message }: { message: Message }) => {
    const { index, body, status } = useMessage(message)
    return `${index} ${body}${status === 'pending' ? '…' : ''};`
  })

  test('come, change and go in their rows; a page more is loaded upwards', async () => {
    const { alice, asAlice, asBob } = await pair()
    for (let i = 0; i < 7; i++) await asBob.sendMessage(`m${i}`)
    let older = async () => {}
    const List = () => {
      const { messages, hasOlder, loadOlder, isLoading } = useMessages(asAlice, { pageSize: 3 })
      older = loadOlder
      if (isLoading) return 'loading'
      const rows = messages.map((message) => createElement(Row, { key: message.sid, message }))
      return [hasOlder ? '^' : '', ...rows]
    }
    const shown = await show(within(alice, List))
    await until(() => shown.text() === '^4 m4;5 m5;6 m6;')
    await act(() => older())
    expect(shown.text()).toBe('^1 m1;2 m2;3 m3;4 m4;5 m5;6 m6;')
    await act(() => older())
    expect(shown.text()).toBe('0 m0;1 m1;2 m2;3 m3;4 m4;5 m5;6 m6;')
    await act(async () => void (await asBob.sendMessage('m7')))
    await until(() => shown.text().endsWith('7 m7;'))
    const theirs = (await asBob.getMessages()).items
    await act(async () => void (await theirs.at(-1)?.updateBody('M7')))
    await until(() => shown.text().endsWith('7 M7;'))
    await act(async () => void (await theirs[1]?.remove()))
    await until(() => !shown.text().includes('m1;'))
  })

  test('one that is pending keeps its row when it is accepted behind others', async () => {
    const { relay, alice, asAlice } = await pair()
    const storage = memory()
    const carol = await connected('carol', relay, { storage })
    await asAlice.add('carol')
    await until(() => true)
    const shownBy = async (client: Client) => {
      let conversation: Conversation | null = null
      const List = () => {
        const { conversations } = useConversations()
        conversation = conversations[0] ?? null
        const { messages } = useMessages(conversation)
        return messages.map((message) => createElement(Row, { key: message.sid, message }))
      }
      const shown = await show(within(client, List))
      await until(() => conversation !== null)
      return { shown, conversation: conversation as unknown as Conversation }
    }
    const seen = await shownBy(carol)
    await act(async () => void (await carol.shutdown()))
    await clear()
    expect(seen.conversation.sid).toBe(asAlice.sid)
    await asAlice.sendMessage('meanwhile')
    await decided(alice)
    const offline = await start('carol', relay.url, { storage })
    const again = await shownBy(offline)
    await act(async () => void (await again.conversation.sendMessage('by carol')))
    await until(() => again.shown.text() === '0 meanwhile;1 by carol;')
  })

  test('of a document that this device has lost come with the relay, and until then it is said which are elsewhere', async () => {
    const { relay, bob, asAlice, asBob } = await pair()
    for (let i = 0; i < 7; i++) await asBob.sendMessage(`m${i}`)
    await decided(bob)
    const storage = memory() as ClientStorage & Storage
    const { open } = storage
    const carol = await connected('carol', relay, { storage })
    await asAlice.add('carol')
    expect((await (await joined(carol, asAlice.sid)).getMessages()).items).toHaveLength(7)
    await carol.shutdown()
    storage.open = async (owner) => {
      const store = await open.call(storage, owner)
      await store.documents.remove(asAlice.sid, 1)
      return store
    }
    const again = await start('carol', relay.url, { storage })
    await again.goOffline()
    const conversation = await joined(again, asAlice.sid)
    const List = () => {
      const { messages, absent } = useMessages(conversation, { pageSize: 3 })
      const rows = messages.map((message) => createElement(Row, { key: message.sid, message }))
      return [absent ? `${absent.from}-${absent.to} elsewhere;` : '', ...rows]
    }
    const shown = await show(within(again, List))
    await until(() => shown.text() === '0-6 elsewhere;')
    await act(async () => void (await conversation.sendMessage('by carol')))
    await until(() => shown.text() === '0-6 elsewhere;7 by carol…;')
    await act(() => again.goOnline())
    await until(() => shown.text() === '5 m5;6 m6;7 by carol;')
  })

  test('jump to an old one and back, with a bounded number of rows', async () => {
    const { alice, asAlice, asBob, bob } = await pair()
    for (let i = 0; i < 60; i++) await asBob.sendMessage(`${i}`)
    await decided(bob)
    let window: ReturnType<typeof useMessages> | undefined
    const List = () => {
      window = useMessages(asAlice, { pageSize: 4 })
      return window.messages.map(({ index }) => index).join()
    }
    const shown = await show(within(alice, List))
    await until(() => shown.text() === '56,57,58,59')
    await act(() => window!.jumpTo(10))
    expect(shown.text()).toBe('9,10,11,12')
    expect(window).toMatchObject({ hasOlder: true, hasNewer: true })
    await act(async () => void (await asBob.sendMessage('not shown there')))
    for (let i = 0; i < 20; i++) await act(() => window!.loadNewer())
    expect(window!.messages).toHaveLength(40)
    expect(window!.messages.at(-1)?.index).toBe(60)
    expect(window).toMatchObject({ hasOlder: true, hasNewer: false })
    await act(() => window!.jumpToNewest())
    expect(shown.text()).toBe('57,58,59,60')
  })
})

test('people come, type and go', async () => {
  const { alice, bob, asAlice, asBob } = await pair()
  const People = text(() => {
    const names = useParticipants(asAlice).map(({ identity }) => identity)
    const typing = useTyping(asAlice).map(({ identity }) => identity)
    return `${names.sort().join()} typing: ${typing.join()} ${useUser('bob')?.friendlyName ?? ''}`
  })
  const shown = await show(within(alice, People))
  await until(() => shown.text() === 'alice,bob typing:  ')
  await act(() => asBob.typing())
  await until(() => shown.text() === 'alice,bob typing: bob ')
  await act(async () => void (await bob.user.updateFriendlyName('Bob')))
  await until(() => shown.text().endsWith('Bob'))
  await act(async () => void (await asAlice.add('carol')))
  await until(() => shown.text().startsWith('alice,bob,carol'))
})

test('what waits is counted, and what was refused is held until somebody decides', async () => {
  const { relay, alice, asAlice } = await pair()
  const Count = text(() => `${usePendingOperations(asAlice).length} ${useHeldOperations().length}`)
  const shown = await show(within(alice, Count))
  expect(shown.text()).toBe('0 0')
  await act(() => relay.close())
  await act(async () => {
    asAlice.sendMessage('one').catch(() => {})
    asAlice.sendMessage('two').catch(() => {})
  })
  await until(() => shown.text() === '2 0')
})

test('the list can be waited for by Suspense', async () => {
  const { alice } = await pair()
  const List = text(() => useConversations({ suspense: true }).conversations.length)
  const element = createElement(
    ConfabProvider,
    { client: alice },
    createElement(Suspense, { fallback: 'waiting' }, createElement(List as unknown as () => null)),
  )
  const shown = await show(element)
  await until(() => shown.text() === '1')
})

test('one message in one conversation re-renders its own row and list, and nobody else', async () => {
  const { alice, asAlice, asBob } = await pair()
  await asBob.sendMessage('first')
  const other = await (await alice.createConversation({ friendlyName: 'Other' })).join()
  await other.sendMessage('there')
  await decided(alice)
  const renders: { [name: string]: number } = {}
  const count = (name: string) => {
    renders[name] = (renders[name] ?? 0) + 1
  }
  const Row = memo(({ message }: { message: Message }) => {
    useMessage(message)
    count(`row ${message.body}`)
    return null
  })
  const Timeline = memo(({ conversation, name }: { conversation: Conversation; name: string }) => {
    const { messages } = useMessages(conversation)
    count(`list ${name}`)
    return messages.map((message) => createElement(Row, { key: message.sid, message }))
  })
  const Page = () => [
    createElement(Timeline, { key: 'a', conversation: asAlice, name: 'tea' }),
    createElement(Timeline, { key: 'b', conversation: other, name: 'other' }),
  ]
  await show(within(alice, Page))
  await until(() => renders['row first'] !== undefined && renders['row there'] !== undefined)
  const before = { ...renders }
  await act(async () => void (await asBob.sendMessage('second')))
  await until(() => renders['row second'] !== undefined)
  expect(renders['row first']).toBe(before['row first'])
  expect(renders['row there']).toBe(before['row there'])
  expect(renders['list other']).toBe(before['list other'])
  expect(renders['list tea']).toBeGreaterThan(before['list tea'] ?? 0)
})

test('nothing listens any more when nothing is rendered', async () => {
  const { alice, asAlice, asBob } = await pair()
  await asBob.sendMessage('hello')
  const Everything = text(() => [
    useConnection().state,
    useConversations().conversations.length,
    useMessages(asAlice).messages.length,
    useParticipants(asAlice).length,
    useTyping(asAlice).length,
    useUnread(asAlice),
    usePendingOperations().length,
  ])
  const counted = [alice, asAlice] as unknown as { listenerCount(event: string): number }[]
  const events = ['conversationJoined', 'messageAdded', 'updated', 'operationsChanged', 'typingStarted']
  const listeners = () => counted.flatMap((one) => events.map((event) => one.listenerCount(event)))
  const before = listeners()
  const shown = await show(within(alice, Everything))
  expect(listeners()).not.toEqual(before)
  await shown.unmount()
  expect(listeners()).toEqual(before)
})

test('a search shows what is found, as the query is typed and as messages come, change and go', async () => {
  const { alice, asAlice, asBob } = await pair()
  await asBob.sendMessage('green tea')
  await asBob.sendMessage('coffee')
  await until(() => asAlice.lastMessage?.index === 1)
  const Found = ({ query }: { query: string }) => {
    const { messages, searching, error } = useSearch(query, { conversation: asAlice })
    return `${error ?? ''}${searching ? '…' : ''}${messages.map(({ body }) => body)}`
  }
  const page = (query: string) =>
    createElement(ConfabProvider, { client: alice }, createElement(Found as never, { query } as never))
  const shown = await show(page('tea'))
  await until(() => shown.text() === 'green tea')
  await shown.render(page('cof'))
  await until(() => shown.text() === 'coffee')
  await shown.render(page('tea'))
  await asBob.sendMessage('black tea')
  await until(() => shown.text() === 'black tea,green tea')
  const [green] = (await asBob.getMessages()).items
  await green?.remove()
  await until(() => shown.text() === 'black tea')
  await shown.render(page(' '))
  expect(shown.text()).toBe('')
})

test('diagnostics are shown and follow the connection and what is pending', async () => {
  const { alice, asAlice } = await pair()
  const shown = await show(
    within(
      alice,
      text(() => {
        const found = useDiagnostics()
        return found && `${found.connection.state} ${found.pending}`
      }),
    ),
  )
  await until(() => shown.text() === 'connected 0')
  await alice.goOffline()
  await asAlice.sendMessage('later')
  await until(() => shown.text() === 'disconnected 1')
  await alice.goOnline()
  await until(() => shown.text() === 'connected 0')
})
