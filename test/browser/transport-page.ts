/** A device in a page. */
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { conversationSid, type Operation } from '../../packages/core/src/index.ts'
import { Device } from '../transport/device.ts'

const factories = { native, yWebsocket }
let device: Device

/** @param random share of the longest wait before each retry */
export function start(kind: keyof typeof factories, url: string, token: string, random = 0): void {
  device = new Device({
    identity: 'ada',
    factory: factories[kind](),
    url,
    token: async () => token,
    random,
  }).start()
}

export async function connect(...options: Parameters<typeof start>): Promise<void> {
  start(...options)
  await device.connected()
}

/** Creates a conversation and posts; gives what is then in its document. */
export async function converse(nonce: string, body: string): Promise<(string | undefined)[]> {
  const sid = conversationSid('ada', nonce)
  const base = { dateWritten: Date.now() }
  const operations: Operation[] = [
    { ...base, id: 'a'.repeat(32), type: 'conversation.create', nonce },
    { ...base, id: 'b'.repeat(32), type: 'conversation.join' },
    { ...base, id: 'c'.repeat(32), type: 'message.post', body },
  ]
  device.push(sid, ...operations)
  device.open(sid)
  for (const { id } of operations) await device.outcome(id)
  await device.until(() => device.bodies(sid).length === 1)
  return device.bodies(sid)
}

export const disconnected = async () => {
  await device.until(() => device.told.at(-1)?.type === 'disconnected')
  return device.told.at(-1)
}
/** An end after which nothing is tried any more. */
export const ended = async () => {
  const end = () => device.told.findLast((told) => told.type === 'disconnected' && told.permanent)
  await device.until(() => end() !== undefined)
  return end()
}
export const connected = async () => {
  await device.connected()
}
export const stop = () => device.transport.stop()
