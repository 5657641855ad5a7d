/** Clients with attachments, and what they hear of them. */
import { createHash, randomBytes } from 'node:crypto'
import {
  Client,
  type ClientOptions,
  type Conversation,
  type Message,
  type UploadProgressEventArgs,
} from '@confab/client'
import { afterEach } from 'vitest'
import { tokenFor } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { type MediaRelay, startMediaRelay } from './stand-in.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

export const whenDone = (close: () => Promise<unknown>): void => void closing.push(close)

export async function mediaRelay(): Promise<MediaRelay> {
  const relay = await startMediaRelay()
  whenDone(() => relay.close())
  return relay
}

export async function clientOf(identity: string, url: string, options: ClientOptions = {}): Promise<Client> {
  const client = new Client(await tokenFor(identity), { url, logLevel: 'silent', ...options })
  whenDone(() => client.shutdown())
  await client.getSubscribedConversations()
  return client
}

export const connected = (client: Client): Promise<void> =>
  until(client, () => client.connectionState === 'connected')

/** A conversation of Ann's with the others, as everybody has it. */
export async function together(...clients: Client[]): Promise<Conversation[]> {
  const [ann, ...others] = clients as [Client, ...Client[]]
  await connected(ann)
  const made = await (await ann.createConversation({ friendlyName: 'Pictures' })).join()
  for (const other of others) await made.add(other.user.identity)
  const theirs = others.map(async (other) => {
    const { items } = await other.getSubscribedConversations()
    if (items.length === 0) await new Promise((resolve) => other.once('conversationJoined', resolve))
    return other.getConversationBySid(made.sid)
  })
  return [made, ...(await Promise.all(theirs))]
}

/** The next message that others are shown. */
export const nextMessage = (conversation: Conversation): Promise<Message> =>
  new Promise((resolve) => conversation.once('messageAdded', resolve))

/** Everything said of uploads, and when one says this. */
export function uploadsOf(client: Client) {
  const told: UploadProgressEventArgs[] = []
  const waiting: (() => void)[] = []
  client.on('uploadProgress', (data) => {
    told.push(data)
    for (const look of waiting) look()
  })
  const heard = (test: (data: UploadProgressEventArgs) => boolean) =>
    new Promise<UploadProgressEventArgs>((resolve) => {
      const look = () => {
        const found = told.find(test)
        if (found) resolve(found)
      }
      waiting.push(look)
      look()
    })
  return { told, heard }
}

export const bytesOf = (size: number): Buffer<ArrayBuffer> => randomBytes(size) as Buffer<ArrayBuffer>
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const readBack = async (url: string | null): Promise<Buffer> =>
  Buffer.from(await (await fetch(url as string)).arrayBuffer())
