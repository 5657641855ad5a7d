/** The honest members of a conversation: what each of them holds, before and after somebody tried something. */
import { RELAY_ROOTS } from '@confab/core'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { openDocument, type Reader } from '../support/reader.ts'
import { Witness } from './stage.ts'

/** All that a document says, and that nothing in it waits for something that is missing. */
export const recordsOf = (doc: Y.Doc) => ({
  conversation: doc.getMap('conversation').toJSON(),
  participants: doc.getMap('participants').toJSON(),
  messages: doc.getArray('messages').toJSON(),
  reads: doc.getArray('reads').toJSON(),
  strange: [...doc.share.keys()].filter(
    (name) => !name.startsWith('outbox/') && !(name in RELAY_ROOTS.conversation),
  ),
  isComplete: doc.store.pendingStructs === null && doc.store.pendingDs === null,
})

/** Commits that a copy has. */
export function commitsOf(doc: Y.Doc): number {
  let count = 0
  for (let item = doc.getArray('commits')._start; item; item = item.right) count += item.length
  return count
}

export class Onlookers {
  readonly sid: string
  /** The creator, and a member who reads over the other endpoint. */
  readonly alice: Reader
  readonly bob: Reader
  readonly #witness: Witness

  private constructor(sid: string, alice: Reader, bob: Reader, witness: Witness) {
    this.sid = sid
    this.alice = alice
    this.bob = bob
    this.#witness = witness
  }

  /** Alice's conversation with bob and the others. */
  static async of(url: string, others: readonly string[] = []): Promise<Onlookers> {
    const { sid, creator } = await createConversation(url, ['alice', 'bob', ...others])
    const bob = await openDocument('yjs', url, 'bob', sid)
    return new Onlookers(sid, creator, bob, await Witness.of(url, 'bob', sid))
  }

  /** What each of them reads, and what a newcomer among them is given. */
  async records() {
    return {
      alice: recordsOf(this.alice.doc),
      bob: recordsOf(this.bob.doc),
      served: recordsOf(await this.#witness.look()),
    }
  }

  /** The same to the last byte: for what may not even make a commit. */
  async bytes() {
    return {
      alice: Y.encodeStateAsUpdate(this.alice.doc),
      bob: Y.encodeStateAsUpdate(this.bob.doc),
      served: await this.#witness.bytes(),
    }
  }

  /** Resolves when they have all that this member has been told of. */
  async reached(member: Reader): Promise<void> {
    const commits = commitsOf(member.doc)
    for (const reader of [this.alice, this.bob])
      await reader.peer.when(() => commitsOf(reader.doc) >= commits)
  }
}
