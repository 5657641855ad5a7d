/** A whole relay over real sockets, one connection per member, the load made in this process. */
import { once } from 'node:events'
import { decodeDown, encodeFrames, NATIVE_PATH, PROTOCOL_VERSION, type UpFrame } from '@confab/core'
import { WebSocket } from 'ws'
import { createAccessToken } from '../../server/src/index.ts'
import {
  Author,
  conversationsInTurn,
  type Figures,
  identityOf,
  type Scenario,
  SERVICE,
  warmUpOf,
} from './figures.ts'

export async function overSockets(
  scenario: Scenario,
  url: string,
  sids: readonly string[],
  cpu: () => Promise<number>,
): Promise<Figures> {
  let told: () => void = () => {}
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
        // a message is counted by the commits that it brings, and not read further
        for (const frame of decodeDown(data)) {
          if (frame.type === 'snapshot') resolve()
          if (frame.type === 'nack') throw new Error(frame.message)
          if (frame.type === 'changes') {
            for (const outcome of frame.outcomes)
              if (outcome.verdict !== 'accepted') throw new Error('refused')
            answered += frame.outcomes.length
          }
        }
        told()
      })
    })
    return socket
  }
  let answered = 0
  const sockets: WebSocket[][] = []
  for (let conversation = 0; conversation < scenario.conversations; conversation++) {
    const members = Array.from({ length: scenario.members }, (_, member) => connect(conversation, member))
    sockets.push(await Promise.all(members))
  }
  const authors = sids.map((_, conversation) =>
    Array.from({ length: scenario.authors }, (_, member) => new Author(identityOf(conversation, member))),
  )
  let count = 0
  const posts = [...conversationsInTurn(scenario)].map((conversation) => {
    const member = count++ % scenario.authors
    const update = (authors[conversation] as Author[])[member]?.post(
      `Post number ${count} of this run`,
    ) as Uint8Array
    return {
      socket: sockets[conversation]?.[member] as WebSocket,
      bytes: encodeFrames([{ type: 'update', channel: 1, update }]),
    }
  })

  let sent = 0
  const upTo = async (count: number): Promise<void> => {
    while (answered < count) {
      const waiting = new Promise<void>((resolve) => (told = resolve))
      while (sent < count && sent - answered < scenario.together) {
        const { socket, bytes } = posts[sent++] as (typeof posts)[number]
        socket.send(bytes)
      }
      await waiting
    }
  }
  await upTo(warmUpOf(scenario))
  const began = performance.now()
  const before = await cpu()
  await upTo(posts.length)
  const spent = (await cpu()) - before
  const milliseconds = performance.now() - began
  for (const members of sockets) for (const socket of members) socket.terminate()
  return { cpu: spent, deliveries: scenario.messages * scenario.members, milliseconds }
}
