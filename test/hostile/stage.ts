/** A conversation of a real relay with a victim, an attacker and a witness, and the ids that attacks aim at. */
import { outboxName } from '@confab/core'
import * as Y from 'yjs'
import type { HostileContext } from '../../packages/core/test/hostile-corpus.ts'
import { createConversation } from '../support/conversation.ts'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { memberSid, post } from '../support/operations.ts'
import { openDocument, type Reader } from '../support/reader.ts'

export interface Stage {
  sid: string
  /** `alice`, connected, with decided operations and one that she has not sent yet. */
  victim: Reader
  /** The update that brings her unsent operation. */
  pending: Uint8Array
  /** What attacks of `mallory`, a participant, aim at, in the document as it stands. */
  aim(doc: Y.Doc): HostileContext
}

export async function stage(url: string): Promise<Stage> {
  const { sid, creator: victim } = await createConversation(url, ['alice', 'bob', 'mallory'])
  for (let i = 0; i < 5; i++) await victim.accepted(post(`message ${i}`))
  const mallory = await openDocument('native', url, 'mallory', sid)
  await mallory.accepted(post('good morning'), post('how are you?'))
  await victim.peer.when(() => victim.bodies.length === 7)
  const own = idsOf(mallory)
  const known = idsOf(victim)
  await mallory.peer.close()
  const pending = victim.write(post('not sent yet'))
  return { sid, victim, pending, aim: (doc) => aimOf(doc, sid, own, known) }
}

/** What attacks of `mallory` aim at, next to `alice`, as both hold the document. */
export const aimAt = (victim: Reader, mallory: Reader, sid: string): HostileContext =>
  aimOf(victim.doc, sid, idsOf(mallory), idsOf(victim))

type Ids = { client: number; clock: number }

function aimOf(doc: Y.Doc, sid: string, own: Ids, known: Ids): HostileContext {
  const newest = newestItem(doc.getArray('messages'))
  const key = memberSid(sid, 'alice')
  const held = doc.getMap('participants')._map.get(key)
  if (!held) throw new Error('the victim is no participant')
  return {
    outbox: outboxName('mallory'),
    fresh: 0x1234_5678,
    own,
    victim: { outbox: outboxName('alice'), ...known },
    messages: { client: newest.id.client, clock: newest.id.clock + newest.length },
    map: { root: 'participants', key, client: held.id.client, clock: held.id.clock },
    operation: post('smuggled'),
  }
}

const idsOf = ({ doc }: Reader): Ids => ({
  client: doc.clientID,
  clock: Y.getState(doc.store, doc.clientID),
})

function newestItem(array: Y.Array<unknown>): Y.Item {
  let last: Y.Item | null = null
  for (let item = array._start; item; item = item.right) last = item
  if (!last) throw new Error('an empty array')
  return last
}

/** Looks at the document again and again as one who holds nothing, on one connection. */
export class Witness {
  readonly #peer: NativePeer
  readonly #document: string
  #channel = 0

  private constructor(peer: NativePeer, document: string) {
    this.#peer = peer
    this.#document = document
  }

  static async of(url: string, identity: string, document: string): Promise<Witness> {
    return new Witness(await NativePeer.connect(url, identity), document)
  }

  /** The document as the relay serves it now. */
  async look(): Promise<Y.Doc> {
    const channel = ++this.#channel
    this.#peer.say({
      type: 'open',
      entries: [{ channel, document: this.#document, pending: false, ...NOTHING }],
    })
    const { updates } = await this.#peer.frame('snapshot', (frame) => frame.channel === channel)
    this.#peer.say({ type: 'close', channels: [channel] })
    // nothing else is of interest, and there is much of it
    this.#peer.frames.length = 0
    const doc = new Y.Doc()
    for (const update of updates) Y.applyUpdate(doc, update)
    return doc
  }

  close(): Promise<void> {
    return this.#peer.close()
  }

  /** All that the document holds, as bytes: structs, deletions, and what waits for something that is missing. */
  async bytes(): Promise<Uint8Array> {
    return Y.encodeStateAsUpdate(await this.look())
  }
}
