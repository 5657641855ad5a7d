/** A peer that speaks the native protocol, honestly or not. */
import { once } from 'node:events'
import {
  type DownFrame,
  decodeDown,
  encodeFrames,
  NATIVE_PATH,
  PROTOCOL_VERSION,
  type UpFrame,
} from '@confab/core'
import { Peer } from './peer.ts'
import { tokenFor } from './relay.ts'

export type Down<Type extends DownFrame['type']> = Extract<DownFrame, { type: Type }>

/** The resume point of somebody who holds nothing. */
export const NOTHING = { epoch: 0, commitsId: 0, clock: 0 }

export class NativePeer extends Peer {
  /** Every frame, in order. */
  readonly frames: DownFrame[] = []
  onFrame: (frame: DownFrame) => void = () => {}

  /** A connection on which nothing was said yet. */
  static override dial(url: string): Promise<NativePeer> {
    return NativePeer.dialPath(url, NATIVE_PATH)
  }

  static async dialPath(url: string, path: string): Promise<NativePeer> {
    const peer = new NativePeer(url + path)
    await once(peer.socket, 'open')
    return peer
  }

  /**
   * A connection that was welcomed.
   * @param token another than the identity's in the default service
   */
  static async connect(url: string, identity: string, token?: string): Promise<NativePeer> {
    const peer = await NativePeer.dial(url)
    peer.say({
      type: 'hello',
      version: PROTOCOL_VERSION,
      token: token ?? (await tokenFor(identity)),
      agent: 'test',
    })
    await peer.frame('welcome')
    return peer
  }

  protected override take(message: Uint8Array): void {
    for (const frame of decodeDown(message)) {
      this.frames.push(frame)
      this.onFrame(frame)
    }
  }

  say(...frames: UpFrame[]): void {
    this.send(encodeFrames(frames))
  }

  /** The first frame of this type, and for which the test holds, at or after the position. */
  frame<Type extends DownFrame['type']>(
    type: Type,
    test: (frame: Down<Type>) => boolean = () => true,
    from = 0,
  ): Promise<Down<Type>> {
    const isIt = (frame: DownFrame): frame is Down<Type> => frame.type === type && test(frame as Down<Type>)
    return this.when(() => this.frames.slice(from).find(isIt), `a frame ${type}`)
  }
}
