/** A whole relay over real sockets, one connection per member, the load made in this process. */
import { once } from 'node:events'
import { decodeDown, encodeFrames, NATIVE_PATH, PROTOCOL_VERSION, type UpFrame } from '@confab/core'
import { WebSocket } from 'ws'
import { createAccessToken } from '../../../server/src/index.ts'
import {
  Author,
  conversationsInTurn,
  type Figures,
  identityOf,
  type Latencies,
  type Load,
  SERVICE,
  warmUpOf,
} from './load.ts'

export async function overSockets(
  load: Load,
  url: string,
  sids: readonly string[],
  cpu: () => Promise<number>,
): Promise<Figures & { latencies: Latencies }> {
  let told: () => void = () => {}
  /** When each post was sent, and of those that were answered the conversation and the number of its commit. */
  const sentAt = new Map<string, number>()
  const committed = new Map<string, { conversation: number; clock: number }>()
  /** What the member who joined last was told, by conversation: the newest commit, and when. */
  const arrivals = sids.map((): { clock: number; at: number }[] => [])
  /** The newest commit that each connection was told. */
  const clocks = sids.map(() => new Array<number>(load.members).fill(0))
  const connect = async (conversation: number, member: number): Promise<WebSocket> => {
    const token = await createAccessToken({
      accountSid: `AC${'a'.repeat(32)}`,
      key: 'SKbench',
      secret: 'a secret of the benchmark, long enough',
      identity: identityOf(conversation, member),
      serviceSid: SERVICE,
    })
    const socket = new WebSocket(url + NATIVE_PATH, { perMessageDeflate: false })
    await once(socket, 'open')
    const say = (...up: UpFrame[]) => socket.send(encodeFrames(up))
    const entry = { document: sids[conversation] as string, epoch: 0, commitsId: 0, clock: 0, pending: false }
    say(
      { type: 'hello', version: PROTOCOL_VERSION, token, agent: 'bench' },
      { type: 'open', entries: [{ channel: 1, ...entry }] },
    )
    await new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const at = performance.now()
        for (const frame of decodeDown(data)) {
          if (frame.type === 'snapshot') resolve()
          if (frame.type === 'nack') throw new Error(frame.message)
          if (frame.type !== 'changes') continue
          const { clock } = frame.point
          for (const { id, verdict } of frame.outcomes) {
            if (verdict !== 'accepted') throw new Error('refused')
            committed.set(id, { conversation, clock })
          }
          answered += frame.outcomes.length
          if (member === load.members - 1) arrivals[conversation]?.push({ clock, at })
          const known = clocks[conversation] as number[]
          known[member] = clock
        }
        told()
      })
    })
    return socket
  }
  let answered = 0
  const sockets: WebSocket[][] = []
  for (let conversation = 0; conversation < load.conversations; conversation++) {
    const members = Array.from({ length: load.members }, (_, member) => connect(conversation, member))
    sockets.push(await Promise.all(members))
  }
  const authors = sids.map((_, conversation) =>
    Array.from({ length: load.authors }, (_, member) => new Author(identityOf(conversation, member))),
  )
  let count = 0
  const posts = [...conversationsInTurn(load)].map((conversation) => {
    const member = count++ % load.authors
    const author = (authors[conversation] as Author[])[member] as Author
    const { id, update } = author.post(`Post number ${count} of this run`)
    return {
      id,
      socket: sockets[conversation]?.[member] as WebSocket,
      bytes: encodeFrames([{ type: 'update', channel: 1, update }]),
    }
  })

  let sent = 0
  const upTo = async (count: number): Promise<void> => {
    while (answered < count) {
      const waiting = new Promise<void>((resolve) => (told = resolve))
      while (sent < count && sent - answered < load.together) {
        const { id, socket, bytes } = posts[sent++] as (typeof posts)[number]
        sentAt.set(id, performance.now())
        socket.send(bytes)
      }
      await waiting
    }
    const behind = (known: number[]) => known.some((clock) => clock < Math.max(...known))
    while (clocks.some(behind)) await new Promise<void>((resolve) => (told = resolve))
  }
  await upTo(warmUpOf(load))
  const began = performance.now()
  const before = await cpu()
  await upTo(posts.length)
  const spent = (await cpu()) - before
  const milliseconds = performance.now() - began
  for (const members of sockets) for (const socket of members) socket.terminate()
  const latencies = posts.slice(warmUpOf(load)).map(({ id }) => {
    const { conversation, clock } = committed.get(id) as { conversation: number; clock: number }
    const arrival = arrivals[conversation]?.find((one) => one.clock >= clock)
    return (arrival as { at: number }).at - (sentAt.get(id) as number)
  })
  return { cpu: spent, milliseconds, latencies: latencies.sort((a, b) => a - b) }
}
