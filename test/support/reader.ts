/**
 * Somebody who has one document open, over either endpoint: a stock Y.Doc that is given what the relay sends, and an
 * outbox. The suites that run over both speak to this.
 */
import { type Operation, type Outcome, outboxName, type ResumePoint } from '@confab/core'
import * as Y from 'yjs'
import { NativePeer, NOTHING } from './native-peer.ts'
import type { Peer } from './peer.ts'
import { awarenessMessage, step1, step2, updateMessage, YjsPeer } from './yjs-peer.ts'

export type Endpoint = 'native' | 'yjs'
export const ENDPOINTS: readonly Endpoint[] = ['native', 'yjs']

const CHANNEL = 1
const EMPTY = Uint8Array.of(0)

export abstract class Reader {
  abstract readonly peer: Peer
  readonly identity: string
  readonly document: string
  readonly doc: Y.Doc
  /** Updates of the relay's, in order. */
  readonly updates: Uint8Array[] = []
  readonly outcomes: Outcome[] = []
  /** How often the relay asked for what it lacks. */
  requests = 0
  /** Codes of uploads that were not taken. */
  readonly nacks: number[] = []
  readonly presence: Uint8Array[] = []

  constructor(identity: string, document: string, doc: Y.Doc) {
    this.identity = identity
    this.document = document
    this.doc = doc
  }

  abstract upload(update: Uint8Array): void
  abstract sendAwareness(update: Uint8Array): void

  get outbox(): Y.Array<unknown> {
    return this.doc.getArray(outboxName(this.identity))
  }

  /** Messages as they are shown: in order of `index`. */
  get bodies(): (string | undefined)[] {
    return (this.doc.getArray('messages').toJSON() as { index: number; body?: string }[])
      .sort((a, b) => a.index - b.index)
      .map(({ body }) => body)
  }

  /** Appends to the outbox, and gives the update that this made. */
  write(...operations: Operation[]): Uint8Array {
    const before = Y.encodeStateVector(this.doc)
    this.outbox.push(operations)
    return Y.encodeStateAsUpdate(this.doc, before)
  }

  outcomeOf(id: string): Promise<Outcome> {
    return this.peer.when(() => this.outcomes.find((outcome) => outcome.id === id), `the outcome of ${id}`)
  }

  /** Appends, uploads, and waits for what the relay says to each. */
  async submit(...operations: Operation[]): Promise<Outcome[]> {
    this.upload(this.write(...operations))
    return Promise.all(operations.map(({ id }) => this.outcomeOf(id)))
  }

  /** The same, for operations that must be accepted. */
  async accepted(...operations: Operation[]): Promise<void> {
    for (const outcome of await this.submit(...operations)) {
      if (outcome.verdict !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`)
    }
  }

  protected receive(updates: readonly Uint8Array[]): void {
    this.updates.push(...updates)
    this.doc.transact(() => {
      for (const update of updates) Y.applyUpdate(this.doc, update)
    }, 'relay')
  }
}

class NativeReader extends Reader {
  readonly peer: NativePeer
  point: ResumePoint = NOTHING

  constructor(peer: NativePeer, identity: string, document: string, doc: Y.Doc) {
    super(identity, document, doc)
    this.peer = peer
    peer.onFrame = (frame) => {
      if (!('channel' in frame) || frame.channel !== CHANNEL) return
      if (frame.type === 'snapshot' || frame.type === 'changes') {
        this.point = frame.point
        this.receive(frame.updates)
      }
      if ('outcomes' in frame) this.outcomes.push(...frame.outcomes)
      else if (frame.type === 'request') this.requests++
      else if (frame.type === 'nack') this.nacks.push(frame.code)
      else if (frame.type === 'awareness') this.presence.push(frame.update)
    }
  }

  upload(update: Uint8Array): void {
    this.peer.say({ type: 'update', channel: CHANNEL, update })
  }

  sendAwareness(update: Uint8Array): void {
    this.peer.say({ type: 'awareness', channel: CHANNEL, update })
  }
}

class YjsReader extends Reader {
  readonly peer: YjsPeer

  constructor(peer: YjsPeer, identity: string, document: string, doc = new Y.Doc()) {
    super(identity, document, doc)
    this.peer = peer
    peer.onMessage = (message) => {
      if (message.type === 'step2' || message.type === 'update') this.receive([message.bytes])
      else if (message.type === 'step1') this.requests++
      else if (message.type === 'outcomes') this.outcomes.push(...message.outcomes)
      else if (message.type === 'nack') this.nacks.push(message.code)
      else if (message.type === 'awareness') this.presence.push(message.bytes)
    }
  }

  upload(update: Uint8Array): void {
    this.peer.send(updateMessage(update))
  }

  /** An answer to step 1: all that this reader has to say. */
  answer(update: Uint8Array): void {
    this.peer.send(step2(update))
  }

  sendAwareness(update: Uint8Array): void {
    this.peer.send(awarenessMessage(update))
  }
}

/**
 * Opens a document as one who holds nothing. Resolves when the relay has answered, with what there is in `doc`.
 * @param outcomes at the stock endpoint: ask for outcomes and nacks, of which a stock client knows nothing
 * @param token another than the identity's in the default service
 */
export async function openDocument(
  endpoint: Endpoint,
  url: string,
  identity: string,
  document: string,
  outcomes = true,
  token?: string,
): Promise<Reader> {
  if (endpoint === 'native') return openNatively(url, identity, document, NOTHING, new Y.Doc(), token)
  const peer = await YjsPeer.connect(url, identity, document, outcomes, token)
  const reader = new YjsReader(peer, identity, document)
  reader.peer.send(step1(EMPTY))
  await reader.peer.message('step1')
  return reader
}

/** The same reader on another connection, which goes on from what the first one held. */
export async function resume(reader: Reader, url: string): Promise<Reader> {
  const { identity, document, doc } = reader
  if (reader instanceof NativeReader) {
    return openNatively(url, identity, document, reader.point, doc)
  }
  const again = new YjsReader(await YjsPeer.connect(url, identity, document), identity, document, doc)
  again.peer.send(step1(Y.encodeStateVector(doc)))
  await again.peer.message('step1')
  return again
}

async function openNatively(
  url: string,
  identity: string,
  document: string,
  point: ResumePoint,
  doc = new Y.Doc(),
  token?: string,
): Promise<Reader> {
  const reader = new NativeReader(await NativePeer.connect(url, identity, token), identity, document, doc)
  reader.peer.say({ type: 'open', entries: [{ channel: CHANNEL, document, pending: true, ...point }] })
  // asked for with `pending`, the request is the last frame of the answer
  await reader.peer.frame('request')
  return reader
}
