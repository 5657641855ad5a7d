/** A device, in a process of its own, that reads one long conversation from its newest message to its first. */
import { Client, type Conversation, memory } from '@confab/client'

/** What `fork` is to give it, as JSON. */
export interface Reading {
  url: string
  token: string
  /** Messages of the conversation; it has all of them. */
  messages: number
  /** Messages of a page of the paginator. */
  page: number
}

export interface Read {
  /** Bytes that were in use after each tenth. */
  memory: number[]
  /** Milliseconds. */
  cpu: number
}

const { url, token, messages, page: size }: Reading = JSON.parse(process.argv[2] ?? '')
const client = new Client(token, { url, storage: memory(), history: { pages: 4 }, logLevel: 'silent' })
const conversation = await new Promise<Conversation>((resolve) => client.once('conversationJoined', resolve))
const began = process.cpuUsage()
const used: number[] = []
/** The index that comes next. */
let next = messages - 1
for (let page = await conversation.getMessages(size); ; page = await page.prevPage()) {
  if (page.absentRange) throw new Error(`${page.absentRange.from} to ${page.absentRange.to} are absent`)
  for (const { index } of page.items.toReversed()) {
    if (index !== next) throw new Error(`${index} is read where ${next} is due`)
    next--
  }
  if (messages - next > ((used.length + 1) * messages) / 10) {
    // what is held weakly is held until the end of a turn
    await new Promise((turn) => setImmediate(turn))
    globalThis.gc?.()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    used.push(heapUsed + arrayBuffers)
  }
  if (!page.hasPrevPage) break
}
if (next !== -1) throw new Error(`It ends at ${next + 1}`)
const { user, system } = process.cpuUsage(began)
process.send?.({ memory: used, cpu: (user + system) / 1000 } satisfies Read)
await client.shutdown()
process.disconnect?.()
