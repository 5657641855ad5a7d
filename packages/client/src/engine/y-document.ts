/** What every document has, whatever it holds: a Y.Doc under a client id of its own, an epoch, a resume point. */
import type { ResumePoint } from '@confab/core'
import * as Y from 'yjs'
import type { RootArray } from './root-types.ts'

/** The resume point of who has nothing. */
export const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }
/** Origin of every transaction that applies what the relay wrote. */
export const RELAY = { relay: true }
/** Origin of every transaction that applies what another client on the same store wrote. */
export const PEER = { peer: true }

export class YDocument {
  readonly doc: Y.Doc
  epoch: number
  readonly #commits: RootArray<unknown>

  /** @param clientId a fresh random one for every load: two loads must never write under one id */
  constructor(epoch: number, clientId: number) {
    this.doc = new Y.Doc()
    this.doc.clientID = clientId
    this.epoch = epoch
    this.#commits = this.doc.getArray('commits')
  }

  /** How far this copy goes. The state vector is the only place where that is kept. */
  get point(): ResumePoint {
    // The newest commit is the last item of the list; all are deleted, so only Yjs's own list (internal) shows them.
    let last: Y.Item | null = null
    for (let item = (this.#commits as unknown as { _start: Y.Item | null })._start; item; item = item.right)
      last = item
    if (!last) return { epoch: this.epoch, commitsId: 0, clock: 0 }
    const { client } = last.id
    return { epoch: this.epoch, commitsId: client, clock: Y.getState(this.doc.store, client) }
  }

  /** Whether it holds this commit, as far as that shows: not when it went into an earlier epoch. */
  knows(commit: { commitsId: number; clock: number } | undefined): boolean {
    return (
      commit !== undefined &&
      commit.commitsId !== 0 &&
      Y.getState(this.doc.store, commit.commitsId) >= commit.clock
    )
  }

  /** Whether everything in it is integrated. What isn't is a copy that lost a write. */
  get complete(): boolean {
    return this.doc.store.pendingStructs === null && this.doc.store.pendingDs === null
  }

  /** Applies the updates in one transaction. */
  apply(updates: readonly Uint8Array[], origin: unknown): void {
    Y.transact(
      this.doc,
      () => {
        for (const update of updates) Y.applyUpdate(this.doc, update, origin)
      },
      origin,
      false,
    )
  }

  /**
   * Applies updates of another client on the same store. What they stand on may be in that one's document alone: then
   * as much of them as can be is applied, nothing waits for the rest, and it gives false.
   */
  applyOwn(updates: readonly Uint8Array[]): boolean {
    const { complete } = this
    this.apply(updates, PEER)
    if (this.complete || !complete) return true
    const { store } = this.doc
    store.pendingStructs = store.pendingDs = null
    return false
  }
}

/** Whether a copy at `point` holds everything up to `asked`, as far as that can be told without the relay. */
export function covers(point: ResumePoint, asked: ResumePoint): boolean {
  if (asked.commitsId === 0) return true
  return point.epoch === asked.epoch && point.commitsId === asked.commitsId && point.clock >= asked.clock
}
