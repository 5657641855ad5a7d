/** A device in a process of its own that posts once and ends itself at a moment. All that it needs is its argument. */
import { Client, directory } from '@confab/client'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { until } from '../support/until.ts'
import { dieAt } from './kill-points.ts'
import type { Moment } from './moments.ts'

export interface LastWords {
  url: string
  folder: string
  identity: string
  token: string
  transport: 'native' | 'yWebsocket'
  body: string
  moment: Moment
}

const { url, folder, identity, token, transport, body, moment }: LastWords = JSON.parse(
  process.argv[2] as string,
)
const client = new Client(token, {
  url,
  identity,
  storage: directory(folder),
  transport: transport === 'native' ? native() : yWebsocket(),
})
client.once('conversationJoined', async (conversation) => {
  await until(client, () => client.connectionState === 'connected')
  dieAt(moment)
  await conversation.sendMessage(body)
  process.send?.('resolved')
})
