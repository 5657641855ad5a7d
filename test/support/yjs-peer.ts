/** A peer that speaks y-websocket's protocol byte by byte, honestly or not. */
import { once } from 'node:events'
import { type Outcome, YJS_PATH } from '@confab/core'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { Peer } from './peer.ts'
import { tokenFor } from './relay.ts'

export type YjsMessage =
  | { type: 'step1' | 'step2' | 'update' | 'awareness'; bytes: Uint8Array }
  | { type: 'outcomes'; outcomes: Outcome[] }
  | { type: 'point' }
  | { type: 'nack'; code: number }

const SYNC = ['step1', 'step2', 'update'] as const

const message = (...parts: [...kinds: number[], bytes: Uint8Array]): Uint8Array =>
  encoding.encode((encoder) => {
    for (const part of parts) {
      if (typeof part === 'number') encoding.writeVarUint(encoder, part)
      else encoding.writeVarUint8Array(encoder, part)
    }
  })

export const step1 = (stateVector: Uint8Array) => message(0, 0, stateVector)
export const step2 = (update: Uint8Array) => message(0, 1, update)
export const updateMessage = (update: Uint8Array) => message(0, 2, update)
export const awarenessMessage = (update: Uint8Array) => message(1, update)

export class YjsPeer extends Peer {
  readonly messages: YjsMessage[] = []
  onMessage: (message: YjsMessage) => void = () => {}

  /**
   * A connection on which nothing was said yet.
   * @param outcomes ask to be told outcomes and nacks, which a stock client doesn't know
   * @param token another than the identity's in the default service
   */
  static async connect(
    url: string,
    identity: string,
    document: string,
    outcomes = true,
    token?: string,
  ): Promise<YjsPeer> {
    const query = `token=${token ?? (await tokenFor(identity))}${outcomes ? '&outcomes=1' : ''}`
    const peer = new YjsPeer(`${url}${YJS_PATH}/${encodeURIComponent(document)}?${query}`)
    await once(peer.socket, 'open')
    return peer
  }

  protected override take(bytes: Uint8Array): void {
    const read = readMessage(bytes)
    this.messages.push(read)
    this.onMessage(read)
  }

  /** The first message of this type at or after the position. */
  message<Type extends YjsMessage['type']>(
    type: Type,
    from = 0,
  ): Promise<Extract<YjsMessage, { type: Type }>> {
    return this.when(
      () => this.messages.slice(from).find((one) => one.type === type) as Extract<YjsMessage, { type: Type }>,
      `a message ${type}`,
    )
  }
}

function readMessage(bytes: Uint8Array): YjsMessage {
  const decoder = decoding.createDecoder(bytes)
  const kind = decoding.readVarUint(decoder)
  switch (kind) {
    case 0: {
      const type = SYNC[decoding.readVarUint(decoder)]
      if (!type) throw new Error('an unknown sync message of the relay')
      return { type, bytes: decoding.readVarUint8Array(decoder) }
    }
    case 1:
      return { type: 'awareness', bytes: decoding.readVarUint8Array(decoder) }
    case 100:
      return { type: 'outcomes', outcomes: JSON.parse(decoding.readVarString(decoder)) }
    case 101:
      return { type: 'point' }
    case 102:
      return { type: 'nack', code: JSON.parse(decoding.readVarString(decoder)).code }
    default:
      throw new Error(`an unknown message ${kind} of the relay`)
  }
}
