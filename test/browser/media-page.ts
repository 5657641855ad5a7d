/** An app in a page that sends and shows pictures, for tests. */
import { Client, type Conversation, type Message, type UploadState } from '@confab/client'

let client: Client
let conversation: Conversation
const uploads: UploadState[] = []
let look = () => {}

export async function open(token: string, url: string): Promise<void> {
  client = new Client(token, { url, logLevel: 'silent' })
  client.on('uploadProgress', (data) => {
    uploads.push({ bytesSent: data.bytesSent, bytesTotal: data.bytesTotal, state: data.state })
    look()
  })
  for (const event of ['messageAdded', 'messageUpdated', 'messageRemoved', 'operationsChanged'] as const)
    client.on(event, () => look())
  client.on('conversationJoined', (one) => {
    conversation = one
    look()
  })
  await client.getSubscribedConversations()
}

export async function create(...others: string[]): Promise<string> {
  const made = await (await client.createConversation({ friendlyName: 'Pictures' })).join()
  for (const identity of others) await made.add(identity)
  return made.sid
}

export const goOffline = () => client.goOffline()
export const goOnline = () => client.goOnline()
export const destroy = () => client.destroy()
export const joined = () => until(async () => conversation !== undefined)
export const noneWaits = () => until(async () => client.getPendingOperations().length === 0)

const blobOf = (size: number, type: string, seed: number): Blob => {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed + (i >> 8)) & 255
  return new Blob([bytes], { type })
}

/** Sends a file of so many bytes as a form does; gives the message's index. */
export async function send(size: number, type: string, seed = 0): Promise<number> {
  const form = new FormData()
  form.append('file', blobOf(size, type, seed), 'file.bin')
  return conversation.sendMessage(form)
}

/** Draws a picture and sends it, named like that. */
export async function sendPicture(width: number, height: number): Promise<number> {
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D
  context.fillStyle = 'teal'
  context.fillRect(0, 0, width, height)
  context.fillStyle = 'orange'
  context.fillRect(0, 0, width / 2, height / 2)
  return conversation.sendMessage({
    contentType: 'image/png',
    filename: 'drawn.png',
    media: await canvas.convertToBlob({ type: 'image/png' }),
  })
}

export async function sendText(contentType: string, media: string): Promise<number> {
  return conversation.sendMessage({ contentType, media })
}

const newest = async (): Promise<Message | undefined> => (await conversation.getMessages(1)).items[0]

/** The newest message once it has so much attached; how it stands. */
export async function newestMedia(size?: number) {
  let message: Message | undefined
  await until(async () => {
    message = await newest()
    const media = message?.attachedMedia?.[0]
    return media !== undefined && (size === undefined || media.size === size)
  })
  const [media] = message!.attachedMedia!
  return {
    index: message!.index,
    status: message!.status,
    filename: media!.filename,
    size: media!.size,
    width: media!.width,
    height: media!.height,
    upload: message!.upload,
  }
}

export const accepted = () => until(async () => (await newest())?.status === 'accepted')

/** Reads the newest message's attachment by its address. */
export async function readNewest(): Promise<{ url: string; type: string; hash: string }> {
  const media = (await newest())!.attachedMedia![0]!
  const url = (await media.getContentTemporaryUrl())!
  const content = await (await fetch(url)).blob()
  const hash = await crypto.subtle.digest('SHA-256', await content.arrayBuffer())
  return {
    url: url.replace(/:.*/, ''),
    type: content.type,
    hash: Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  }
}

/** What an `img` makes of the newest message's attachment, and of its placeholder. */
export async function showNewest(): Promise<{ picture: number[]; placeholder: number[] }> {
  const media = (await newest())!.attachedMedia![0]!
  const sizeOf = async (src: string) => {
    const image = new Image()
    image.src = src
    await image.decode()
    return [image.naturalWidth, image.naturalHeight]
  }
  return {
    picture: await sizeOf((await media.getContentTemporaryUrl())!),
    placeholder: await sizeOf((await media.getPlaceholderUrl())!),
  }
}

/** What was said of uploads in this page so far. */
export const said = () => uploads
export async function saidOnce(state: UploadState['state'], bytes: number): Promise<UploadState> {
  const found = () => uploads.find((one) => one.state === state && one.bytesSent >= bytes)
  await until(async () => found() !== undefined)
  return found() as UploadState
}

export async function mediaBytes(): Promise<number> {
  return (await client.storage()).media
}

export async function removeNewest(): Promise<void> {
  await (await newest())!.remove()
}

export const databases = async () =>
  (await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith('confab') ? name : []))

/** Sends one file after the other until there is no room; gives how many were taken, and what was shown and kept then. */
export async function sendUntilFull(size: number) {
  for (let taken = 0; ; taken++) {
    try {
      await send(size, 'application/octet-stream', taken)
    } catch (error) {
      const { code, message } = error as { code: number; message: string }
      const shown = (await conversation.getMessages(100)).items.length
      return {
        taken,
        code,
        message,
        shown,
        held: client.getHeldOperations().length,
        media: await mediaBytes(),
      }
    }
  }
}

export async function sendBody(text: string): Promise<number> {
  return conversation.sendMessage(text)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const more = new Promise<void>((resolve) => {
      look = resolve
    })
    if (await holds()) return
    await more
  }
}
