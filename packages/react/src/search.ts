import type { Client, Message, SearchOptions, SearchResult, UnseenMessages } from '@confab/client'
import { useEffect, useState } from 'react'
import { useMaybeClient } from './provider.ts'
import { listen } from './source.ts'

/** What `useSearch` shows. */
export interface Search {
  /** What was found last, the newest first: of an earlier query while `searching`. */
  readonly messages: readonly Message[]
  /** There are more than `limit`. */
  readonly more: boolean
  /** What could not be searched, because it isn't on this device. */
  readonly unseen: readonly UnseenMessages[]
  readonly searching: boolean
  readonly error: Error | null
}

/** Milliseconds that typing, and messages that come one after the other, are waited for. */
const PAUSE = 100

const NOTHING: Search = { messages: [], more: false, unseen: [], searching: false, error: null }

/**
 * Searches the messages on this device as the query is typed, and again when messages change. An empty query finds
 * nothing.
 * @param options as `client.searchMessages` takes them
 */
export function useSearch(query: string, options: SearchOptions = {}): Search {
  const client = useMaybeClient()
  const [search, show] = useState(NOTHING)
  const { conversation, author, limit } = options
  const sid = typeof conversation === 'string' ? conversation : conversation?.sid
  // two dates of one time are the same search
  const before = options.before === undefined ? undefined : Number(options.before)
  const after = options.after === undefined ? undefined : Number(options.after)
  useEffect(() => {
    if (!client || query.trim() === '') {
      show(NOTHING)
      return
    }
    const wanted: SearchOptions = {
      ...(sid === undefined ? {} : { conversation: sid }),
      ...(author === undefined ? {} : { author }),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit }),
    }
    return follow(client, () => client.searchMessages(query, wanted), show)
  }, [client, query, sid, author, before, after, limit])
  return search
}

/** Searches now and after each change; gives what ends that. */
function follow(
  client: Client,
  search: () => Promise<SearchResult>,
  show: (update: (before: Search) => Search) => void,
): () => void {
  let ended = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const run = async () => {
    show((before) => ({ ...before, searching: true }))
    let found: (before: Search) => Search
    try {
      const { messages, more, unseen } = await search()
      found = () => ({ messages, more, unseen, searching: false, error: null })
    } catch (error) {
      found = (before) => ({ ...before, searching: false, error: error as Error })
    }
    if (!ended) show(found)
  }
  const soon = () => {
    clearTimeout(timer)
    timer = setTimeout(() => void run(), PAUSE)
  }
  soon()
  const stop = listen(client, {
    messageAdded: soon,
    messageUpdated: soon,
    messageRemoved: soon,
    // what a conversation has when it comes is told of by nothing else
    conversationJoined: soon,
    conversationLeft: soon,
  })
  return () => {
    ended = true
    clearTimeout(timer)
    stop()
  }
}
