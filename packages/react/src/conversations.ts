import type { Client, Conversation } from '@confab/client'
import { useMemo } from 'react'
import { useMaybeClient } from './provider.ts'
import { cached, listen, Source, useSource } from './source.ts'

export interface Conversations {
  /** Those with the newest message first; one without messages counts from its making. */
  conversations: readonly Conversation[]
  isLoading: boolean
}

const LOADING: Conversations = { conversations: [], isLoading: true }

/** The list by order and membership: what changes inside of a conversation is no change of the list. */
class ConversationsSource extends Source<Conversations> {
  readonly #client: Client
  readonly #known = new Map<string, Conversation>()
  #loading: Promise<void> | null = null
  #isStale = true
  #isArranging = false

  constructor(client: Client) {
    super(LOADING)
    this.#client = client
  }

  /** Resolves when the list has been read once. */
  loaded(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  protected attach(): () => void {
    const put = (conversation: Conversation) => {
      this.#known.set(conversation.sid, conversation)
      this.#arrangeSoon()
    }
    const drop = ({ sid }: Conversation) => {
      if (this.#known.delete(sid)) this.#arrangeSoon()
    }
    const detach = listen(this.#client, {
      conversationAdded: put,
      conversationJoined: put,
      conversationUpdated: () => this.#arrangeSoon(),
      conversationLeft: drop,
      conversationRemoved: drop,
    })
    if (this.#isStale) void this.loaded().catch(() => {})
    return () => {
      this.#isStale = true
      detach()
    }
  }

  async #load(): Promise<void> {
    const found = new Map<string, Conversation>()
    let page = await this.#client.getSubscribedConversations()
    for (;;) {
      for (const one of page.items) found.set(one.sid, one)
      if (!page.hasNextPage) break
      page = await page.nextPage()
    }
    for (const sid of [...this.#known.keys()]) if (!found.has(sid)) this.#known.delete(sid)
    for (const [sid, one] of found) this.#known.set(sid, one)
    this.#isStale = false
    this.#arrange(true)
  }

  /** Once for all that is told together: a start tells of each conversation, twice. */
  #arrangeSoon(): void {
    if (this.#isArranging) return
    this.#isArranging = true
    queueMicrotask(() => {
      this.#isArranging = false
      this.#arrange()
    })
  }

  #arrange(isLoaded = !this.value.isLoading): void {
    const conversations = [...this.#known.values()]
      .map((one) => ({ one, time: timeOf(one) }))
      .sort((a, b) => b.time - a.time || (a.one.sid < b.one.sid ? -1 : 1))
      .map(({ one }) => one)
    const before = this.value
    const isSame =
      conversations.length === before.conversations.length &&
      conversations.every((one, at) => one === before.conversations[at])
    if (isSame && before.isLoading === !isLoaded) return
    this.set({ conversations: isSame ? before.conversations : conversations, isLoading: !isLoaded })
  }
}

const timeOf = ({ lastMessage, dateCreated }: Conversation): number =>
  (lastMessage?.dateCreated ?? dateCreated)?.getTime() ?? 0

const sourceOf = cached((client: Client) => new ConversationsSource(client))

/**
 * The conversations of this person, the newest message first. The list changes when its order does; what a row shows
 * of its conversation is `useConversation`'s.
 * @param options.suspense waits in the nearest `<Suspense>` until the list has been read, instead of `isLoading`
 */
export function useConversations({ suspense = false } = {}): Conversations {
  const client = useMaybeClient()
  const source = client && sourceOf(client)
  const value = useSource(source, LOADING)
  if (suspense && source && value.isLoading) throw source.loaded()
  return value
}

/** Counts what changes in one conversation: the object stays the same, and shows the newest. */
class ConversationSource extends Source<number> {
  readonly #conversation: Conversation

  constructor(conversation: Conversation) {
    super(0)
    this.#conversation = conversation
  }

  protected attach(): () => void {
    const changed = () => this.set(this.value + 1)
    return listen(this.#conversation, { updated: changed, removed: changed })
  }
}

const changesOf = cached((conversation: Conversation) => new ConversationSource(conversation))

/**
 * The conversation with this sid, again whenever something of it changes; null while it isn't known.
 * @param wanted a sid, or a conversation that a list gave
 */
export function useConversation(wanted: string | Conversation | null): Conversation | null {
  const { conversations } = useConversations()
  const sid = typeof wanted === 'string' ? wanted : null
  const found = useMemo(() => conversations.find((one) => one.sid === sid) ?? null, [conversations, sid])
  const conversation = typeof wanted === 'string' ? found : wanted
  useSource(conversation && changesOf(conversation), 0)
  return conversation
}
