/** How each server is spoken to: just enough of its protocol to open one document, post, and hear. */
import {
  decodeDown,
  EMPTY_UPDATE,
  encodeFrames,
  NATIVE_PATH,
  PROTOCOL_VERSION,
  UpdateWriter,
} from '@confab/core'
import * as encoding from 'lib0/encoding'
import { createAccessToken } from '../../../server/src/index.ts'
import { type Connection, connectTo } from './connection.ts'
import { ACCOUNT, Author, identityOf, KEY, recordOf, SECRET, SERVICE } from './load.ts'
import type { Arrived, Target, Who } from './targets.ts'

const SYNC = 0
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const AUTH = 2

/** Resolves when the document is there. */
export async function confab(
  url: string,
  document: string,
  who: Who,
  arrived?: Arrived,
): Promise<Connection> {
  const identity = identityOf(who.conversation, who.member)
  const token = await createAccessToken({
    accountSid: ACCOUNT,
    key: KEY,
    secret: SECRET,
    identity,
    serviceSid: SERVICE,
  })
  const author = new Author(identity)
  let opened: () => void = () => {}
  const ready = new Promise<void>((resolve) => (opened = resolve))
  let isOpen = false
  const encode = (body: string) =>
    encodeFrames([{ type: 'update', channel: 1, update: author.post(body).update }])
  const connection = await connectTo(url + NATIVE_PATH, encode, arrived, (message) => {
    if (isOpen) return
    for (const frame of decodeDown(message)) {
      if (frame.type === 'nack') throw new Error(frame.message)
      if (frame.type === 'snapshot' || frame.type === 'changes') isOpen = true
    }
    if (isOpen) opened()
  })
  const entry = { document, epoch: 0, commitsId: 0, clock: 0, pending: false }
  connection.send(
    encodeFrames([
      { type: 'hello', version: PROTOCOL_VERSION, token, agent: 'bench' },
      { type: 'open', entries: [{ channel: 1, ...entry }] },
    ]),
  )
  await ready
  return connection
}

/** A peer's author pushes records into the array `messages`, each behind the last one of its own. */
class Pusher {
  readonly #client = (Math.random() * 2 ** 32) >>> 0
  readonly #writer = new UpdateWriter()
  readonly #who: Who
  #clock = 0

  constructor(who: Who) {
    this.#who = who
  }

  push(body: string): Uint8Array {
    const clock = this.#clock++
    const origin = clock === 0 ? null : ([this.#client, clock - 1] as const)
    this.#writer.append('messages', [this.#client, clock], origin && [...origin], recordOf(this.#who, body))
    return this.#writer.finish()
  }
}

const message = (write: (encoder: encoding.Encoder) => void): Uint8Array => encoding.encode(write)

function writeSync(encoder: encoding.Encoder, kind: number, bytes: Uint8Array): void {
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, kind)
  encoding.writeVarUint8Array(encoder, bytes)
}

/** Waits for the answer to step 1, which is everything; answers the server's own question with nothing. */
async function yjs(
  url: string,
  who: Who,
  write: (encoder: encoding.Encoder) => void,
  first: readonly Uint8Array[],
  arrived?: Arrived,
): Promise<Connection> {
  const pusher = new Pusher(who)
  let synced: () => void = () => {}
  const ready = new Promise<void>((resolve) => (synced = resolve))
  const prefix = message(write)
  const sync = (kind: number, bytes: Uint8Array) =>
    message((encoder) => {
      write(encoder)
      writeSync(encoder, kind, bytes)
    })
  let isSynced = false
  const connection = await connectTo(
    url,
    (body) => sync(UPDATE, pusher.push(body)),
    arrived,
    (data, send) => {
      if (isSynced || data[prefix.length] !== SYNC) return
      if (data[prefix.length + 1] === STEP_1) send(sync(STEP_2, EMPTY_UPDATE))
      if (data[prefix.length + 1] !== STEP_2) return
      isSynced = true
      synced()
    },
  )
  for (const one of first) connection.send(one)
  connection.send(sync(STEP_1, Uint8Array.of(0)))
  await ready
  return connection
}

export const yWebsocket: Target['connect'] = (url, document, who, arrived) =>
  yjs(`${url}/${document}`, who, () => {}, [], arrived)

/** Every message begins with the document's name; a token is asked for, whichever. */
export const hocuspocus: Target['connect'] = (url, document, who, arrived) => {
  const write = (encoder: encoding.Encoder) => encoding.writeVarString(encoder, document)
  const login = message((encoder) => {
    write(encoder)
    encoding.writeVarUint(encoder, AUTH)
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarString(encoder, 'a token')
  })
  return yjs(url, who, write, [login], arrived)
}

export const ws: Target['connect'] = (url, document, who, arrived) =>
  connectTo(`${url}/${document}`, (body) => Buffer.from(JSON.stringify(recordOf(who, body))), arrived)
