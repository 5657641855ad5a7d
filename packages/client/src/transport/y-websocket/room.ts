/**
 * One document by a stock y-websocket provider. The provider needs a Y.Doc: it gets a mirror, which holds what the
 * relay sent and what the engine uploads, and never writes itself. Updates are handed to the engine as bytes.
 *
 * The relay's own messages (100 to 102, asked for by `outcomes=1`) and the close codes are told in docs/protocol.md.
 */
import { CLOSE_CODES, type Outcome, type ResumePoint } from '@confab/core'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { Awareness } from 'y-protocols/awareness'
import { messageYjsSyncStep1, writeUpdate } from 'y-protocols/sync'
import { messageAwareness, messageQueryAwareness, messageSync, WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { closeSocket, sendOn } from '../socket.ts'
import type { DocumentNews, OpenRequest } from '../transport.ts'

const messageOutcomes = 100
const messagePoint = 101
const messageNack = 102

export interface RoomEvents {
  /** The relay let us in, or is alive. */
  heard(): void
  current(): void
  received(news: DocumentNews): void
  outcomes(outcomes: Outcome[]): void
  requested(stateVector: Uint8Array): void
  absent(): void
  awareness(update: Uint8Array): void
  nack(error: { code: number; message: string; retryAfter: number }): void
  /** The socket ended, not by us, with this close code; 0 when there was none. The room is of no more use. */
  ended(code: number, reason: string): void
}

export interface RoomOptions {
  url: string
  document: string
  token: string
  WebSocket: typeof globalThis.WebSocket
  events: RoomEvents
}

/** The origin of what the engine uploads; what the relay sends has the provider's. */
const UPLOAD = {}

export class Room {
  readonly #options: RoomOptions
  readonly #events: RoomEvents
  #mirror = new Y.Doc()
  #provider: WebsocketProvider | null = null
  #wasOpen = false
  /** What the engine asked for; null until it did. */
  #request: OpenRequest | null = null
  /** The relay's document is in the mirror, up to this point and what follows it. */
  #synced: ResumePoint | null = null
  /** The engine has been told of it. */
  #isTold = false
  /** The relay said that what the engine has can't be continued. */
  #isReplaced = false
  /** The relay's question, until the engine was there to hear it. */
  #asked: Uint8Array | null = null
  /** Outcomes that came before the point. */
  #early: Outcome[] = []
  /** Something was uploaded that no answer to the relay's question has held yet. */
  #isUnanswered = false
  #isLeft = false

  constructor(options: RoomOptions) {
    this.#options = options
    this.#events = options.events
    this.#dial()
  }

  // ── from the engine ───────────────────────────────────────────────────────────────────────────────

  open(request: OpenRequest): void {
    this.#request = request
    this.#isTold = false
    // never from within the engine's own call
    queueMicrotask(() => this.#tell())
  }

  /** Sends the update as it is, and keeps it for the answer to the relay's next question. */
  update(update: Uint8Array): void {
    if (this.#isLeft) return
    Y.applyUpdate(this.#mirror, update, UPLOAD)
    this.#isUnanswered = true
    if (this.#provider) {
      this.#send((encoder) => {
        encoding.writeVarUint(encoder, messageSync)
        writeUpdate(encoder, update)
      })
    } else {
      this.#dial()
    }
  }

  awareness(update: Uint8Array): void {
    this.#send((encoder) => {
      encoding.writeVarUint(encoder, messageAwareness)
      encoding.writeVarUint8Array(encoder, update)
    })
  }

  /** Asks for a sign of life. */
  probe(): void {
    this.#send((encoder) => encoding.writeVarUint(encoder, messageQueryAwareness))
  }

  /** Resolves when the socket is closed. */
  async leave(): Promise<void> {
    if (this.#isLeft) return
    this.#isLeft = true
    await this.#hangUp()
    this.#mirror.destroy()
  }

  #send(write: (encoder: encoding.Encoder) => void): void {
    const socket = this.#provider?.wsconnected ? this.#provider.ws : null
    if (socket) sendOn(socket, [encoding.encode(write)])
  }

  // ── the provider ──────────────────────────────────────────────────────────────────────────────────

  #dial(): void {
    const { url, document, token, WebSocket } = this.#options
    const mirror = this.#mirror
    // presence is the engine's: this one stays silent, and passes on what comes
    const awareness = new Awareness(mirror)
    awareness.setLocalState(null)
    const provider = new WebsocketProvider(url, encodeURIComponent(document), mirror, {
      connect: false,
      disableBc: true,
      awareness,
      params: { token, outcomes: '1' },
      WebSocketPolyfill: WebSocket,
      // when to try again is the dialer's to say, with jitter and a fresh token
      shouldReconnect: () => false,
    })
    // uploads are sent by `update`: the mirror may still miss what they depend on, and then the provider sends nothing
    mirror.off('update', provider._updateHandler)
    // one listener for each document would be a leak in Node's eyes
    globalThis.process?.off?.('exit', provider._exitHandler)
    this.#provider = provider
    this.#wasOpen = false
    this.#hear(provider)
    mirror.on('update', this.#onUpdate)
    provider.on('status', ({ status }) => {
      if (status === 'connected') this.#wasOpen = true
    })
    provider.on('connection-close', (event) => {
      provider.shouldConnect = false
      // the provider is still closing it
      queueMicrotask(() => {
        if (this.#provider === provider) this.#closed(event?.code ?? CLOSE_CODES.silent, event?.reason ?? '')
      })
    })
    provider.connect()
  }

  /** Ends the provider and forgets it. Resolves when its socket is closed. */
  async #hangUp(): Promise<void> {
    const provider = this.#provider
    if (!provider) return
    this.#provider = null
    this.#mirror.off('update', this.#onUpdate)
    const closing = provider.ws ? closeSocket(provider.ws, 1000, '') : null
    provider.destroy()
    provider.awareness.destroy()
    await closing
  }

  #closed(code: number, reason: string): void {
    const { wasOpen, wasMember } = { wasOpen: this.#wasOpen, wasMember: this.#synced !== null }
    void this.#hangUp()
    if (wasOpen && code === CLOSE_CODES.replaced) {
      this.#isReplaced = true
      this.#startAfresh()
      this.#dial()
    } else if (wasOpen && code === CLOSE_CODES.absent) {
      if (wasMember) this.#startAfresh()
      // The relay let us in before it said so.
      this.#events.heard()
      if (!wasMember && this.#isUnanswered && !this.#isLeft) {
        // uploaded while the relay was already closing: it is asked again, and the answer will hold it
        this.#dial()
      } else {
        this.#events.absent()
      }
    } else {
      this.#events.ended(wasOpen ? code : 0, reason || 'The connection ended')
    }
  }

  /** Nothing of a document that is gone or replaced remains in the mirror. */
  #startAfresh(): void {
    this.#mirror.destroy()
    this.#mirror = new Y.Doc()
    this.#synced = null
    this.#isTold = false
    this.#early = []
    this.#isUnanswered = false
  }

  // ── from the relay ────────────────────────────────────────────────────────────────────────────────

  #hear(provider: WebsocketProvider): void {
    const { messageHandlers } = provider
    const sync = messageHandlers[messageSync]
    const handlers: [number, (decoder: decoding.Decoder, ...rest: HandlerRest) => void][] = [
      [
        messageSync,
        (decoder, ...rest) => {
          this.#question(decoder)
          sync?.(rest[0], decoder, provider, rest[1], messageSync)
        },
      ],
      [messageAwareness, (decoder) => this.#presence(decoding.readVarUint8Array(decoder))],
      [messageOutcomes, (decoder) => this.#outcomes(JSON.parse(decoding.readVarString(decoder)))],
      [messagePoint, (decoder) => this.#point(JSON.parse(decoding.readVarString(decoder)))],
      [messageNack, (decoder) => this.#events.nack(JSON.parse(decoding.readVarString(decoder)))],
    ]
    for (const [type, handle] of handlers) {
      messageHandlers[type] = (encoder, decoder, _provider, emitSynced) => {
        if (this.#provider !== provider) return
        this.#events.heard()
        try {
          handle(decoder, encoder, emitSynced)
        } catch (cause) {
          // the relay's fault: nothing of it may reach the app as an uncaught error
          void this.#hangUp()
          this.#events.ended(CLOSE_CODES.internal, cause instanceof Error ? cause.message : String(cause))
        }
      }
    }
  }

  /**
   * The relay's sync step 1: the engine uploads what the mirror lacks, if it can at once, and the provider answers
   * with all that the mirror then holds.
   */
  #question(decoder: decoding.Decoder): void {
    const { pos } = decoder
    const isStep1 = decoding.readVarUint(decoder) === messageYjsSyncStep1
    const stateVector = isStep1 ? decoding.readVarUint8Array(decoder).slice() : null
    decoder.pos = pos
    if (!stateVector) return
    this.#asked = stateVector
    if (this.#request) this.#passQuestion()
    this.#isUnanswered = false
  }

  #passQuestion(): void {
    const stateVector = this.#asked
    this.#asked = null
    if (stateVector) this.#events.requested(stateVector)
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this.#provider || !this.#isTold) return
    this.#events.received({ replace: false, point: null, updates: [update], outcomes: [] })
  }

  #presence(update: Uint8Array): void {
    // an empty one is how the relay shows that it is alive
    if (this.#isTold && (update[0] ?? 0) > 0) this.#events.awareness(update.slice())
  }

  #outcomes(outcomes: Outcome[]): void {
    // a stranger's come without a document
    if (this.#isTold || this.#provider?.synced === false) this.#events.outcomes(outcomes)
    else this.#early.push(...outcomes)
  }

  #point(point: ResumePoint): void {
    this.#synced = point
    this.#tell()
  }

  /** Hands the whole document over, once it is here and asked for. */
  #tell(): void {
    if (!this.#synced || !this.#request || this.#isTold || this.#isLeft) return
    const had = this.#request.point
    const point = this.#synced
    const outcomes = this.#early.splice(0)
    const continues = had.commitsId === 0 || this.#continues(had, point)
    const replace = this.#isReplaced || !continues
    // what a later epoch went on from isn't told here: it is taken for the same history
    const lost = !continues && had.epoch >= point.epoch
    this.#isTold = true
    this.#isReplaced = false
    this.#request = { ...this.#request, point }
    const isSame = had.epoch === point.epoch && had.commitsId === point.commitsId && had.clock === point.clock
    if (isSame && !replace && outcomes.length === 0) this.#events.current()
    else {
      const updates = [Y.encodeStateAsUpdate(this.#mirror)]
      this.#events.received({ replace, ...(lost && { lost }), point, updates, outcomes })
    }
    this.#passQuestion()
  }

  /** Whether the relay's document holds the commits that the engine has. */
  #continues(had: ResumePoint, point: ResumePoint): boolean {
    return had.epoch === point.epoch && Y.getState(this.#mirror.store, had.commitsId) >= had.clock
  }
}

type HandlerRest = [encoder: encoding.Encoder, emitSynced: boolean]
