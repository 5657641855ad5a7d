/** What a device does in the benchmarks, in Node and in a page alike. */
import { Client, type ClientStorage, type Conversation } from '@confab/client'

/** Where the relay is, and who is asking. */
export interface Where {
  url: string
  token: string
}

/** A client that holds everything there is: that many conversations, each with its newest message. */
export async function takeIn(
  { url, token }: Where,
  storage: ClientStorage,
  { conversations, messages }: { conversations: number; messages: number },
): Promise<Client> {
  const client = new Client(token, { url, storage })
  const whole = new Set<string>()
  await new Promise<void>((resolve) => {
    const look = (conversation: Conversation) => {
      if ((conversation.lastMessage?.index ?? -1) === messages - 1) whole.add(conversation.sid)
      if (whole.size === conversations) resolve()
    }
    client.on('conversationJoined', look)
    client.on('conversationUpdated', ({ conversation }) => look(conversation))
  })
  return client
}

/** A row of the list, as an app draws it. */
export interface Row {
  name: string | null
  last: number
  unread: number | null
}

/** The whole list, all pages, as an app draws it. */
export async function readList(client: Client): Promise<Row[]> {
  const rows: Row[] = []
  for (let page = await client.getSubscribedConversations(); ; page = await page.nextPage()) {
    for (const conversation of page.items) {
      rows.push({
        name: conversation.friendlyName,
        last: conversation.lastMessage?.dateCreated?.getTime() ?? 0,
        unread: await conversation.getUnreadMessagesCount(),
      })
    }
    if (!page.hasNextPage) return rows
  }
}

/** What is wrong with the list; null when nothing is. */
export function mistakeIn(rows: readonly Row[], conversations: number, unread: number | null): string | null {
  if (rows.length !== conversations) return `${rows.length} rows`
  if (rows.some((row) => row.name === null)) return 'a row without a name'
  if (rows.some((row) => row.unread !== unread)) return `a row that doesn't have ${unread} unread messages`
  if (rows.some((row, i) => i > 0 && row.last > (rows[i - 1]?.last ?? 0))) return 'not by the newest message'
  return null
}
