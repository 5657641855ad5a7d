/** A device in a process of its own that sends one file and ends itself at a moment. All that it needs is its argument. */
import { Client, directory } from '@confab/client'
import { dieAt } from '../crash/kill-points.ts'
import type { Moment } from '../crash/moments.ts'
import { until } from '../support/until.ts'

export interface LastFile {
  url: string
  folder: string
  token: string
  body: string
  /** Bytes. */
  size: number
  moment: Moment
  isOffline?: boolean
}

const { url, folder, token, body, size, moment, isOffline }: LastFile = JSON.parse(process.argv[2] as string)
const client = new Client(token, { url, identity: 'ann', storage: directory(folder) })
client.once('conversationJoined', async (conversation) => {
  await until(client, () => client.connectionState === 'connected')
  if (isOffline) await client.goOffline()
  dieAt(moment)
  const message = conversation.prepareMessage().setBody(body)
  const media = new Uint8Array(size).map((_, i) => (i * 7) & 255)
  await message.addMedia({ contentType: 'video/mp4', filename: 'film.mp4', media }).buildAndSend()
  process.send?.('resolved')
})
