/** A load over real sockets: one connection for each member, all in this process. */
import type { Connection } from './connection.ts'
import { conversationsInTurn, type Figures, type Load, warmUpOf } from './load.ts'
import type { ServerProcess } from './process.ts'
import type { Target } from './targets.ts'

/** Milliseconds from the sending of each measured post until the member it is timed at has it, in ascending order. */
export type Latencies = readonly number[]

/** Connections that are made at a time. */
const AT_A_TIME = 50

/** Every member of every conversation, connected: by conversation and member. */
export async function connectAll(
  target: Target,
  { url, documents }: Pick<ServerProcess, 'url' | 'documents'>,
  members: number,
): Promise<Connection[][]> {
  const sockets: Connection[][] = documents.map(() => [])
  const waiting = documents.flatMap((document, conversation) =>
    Array.from({ length: members }, (_, member) => ({ document, conversation, member })),
  )
  const connectNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { document, conversation, member } = next
      const own = sockets[conversation] as Connection[]
      own[member] = await target.connect(url, document, { conversation, member })
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, connectNext))
  return sockets
}

interface Post {
  conversation: number
  author: number
  sentAt: number
  arrivedAt: number
  /** Members who have it, beside its author. */
  readers: number
}

export async function overSockets(
  target: Target,
  server: ServerProcess,
  load: Load,
): Promise<Figures & { latencies: Latencies }> {
  const sockets = await connectAll(target, server, load.members)
  const posts: Post[] = []
  const turns = new Array<number>(load.conversations).fill(0)
  for (const conversation of conversationsInTurn(load)) {
    const turn = turns[conversation] as number
    turns[conversation] = turn + 1
    posts.push({ conversation, author: turn % load.authors, sentAt: 0, arrivedAt: 0, readers: 0 })
  }
  let sent = 0
  /** Posts that are where they are timed, and deliveries of all. */
  let arrived = 0
  let deliveries = 0
  let told: () => void = () => {}
  for (const members of sockets) {
    for (const [member, socket] of members.entries()) {
      socket.arrived = (numbers) => {
        const at = performance.now()
        for (const number of numbers) {
          const post = posts[number] as Post
          if (post.author === member) continue
          deliveries++
          post.readers++
          // timed at who joined last
          if (member !== (post.author === load.members - 1 ? 0 : load.members - 1)) continue
          post.arrivedAt = at
          arrived++
        }
        told()
      }
    }
  }
  const change = () => new Promise<void>((resolve) => (told = resolve))
  const send = () => {
    const post = posts[sent] as Post
    post.sentAt = performance.now()
    sockets[post.conversation]?.[post.author]?.post(sent++)
  }
  const upTo = async (count: number): Promise<void> => {
    if (load.rate) await atRate(load.rate, count - sent, send)
    while (sent < count || deliveries < count * (load.members - 1)) {
      const changed = change()
      while (sent < count && sent - arrived < load.together) send()
      await changed
    }
  }
  await upTo(warmUpOf(load))
  const before = (await server.usage()).cpu
  const began = performance.now()
  await upTo(posts.length)
  const milliseconds = performance.now() - began
  const cpu = (await server.usage()).cpu - before
  for (const members of sockets) for (const socket of members) socket.terminate()
  if (posts.some(({ readers }) => readers !== load.members - 1)) throw new Error('a post came twice, or not')
  const latencies = posts.slice(warmUpOf(load)).map(({ sentAt, arrivedAt }) => arrivedAt - sentAt)
  return { cpu, milliseconds, latencies: latencies.sort((a, b) => a - b) }
}

/** So many a second, evenly, whatever becomes of them. */
function atRate(rate: number, count: number, send: () => void): Promise<void> {
  const began = performance.now()
  let done = 0
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      while (done < count && performance.now() - began >= (done * 1000) / rate) {
        send()
        done++
      }
      if (done < count) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
}
