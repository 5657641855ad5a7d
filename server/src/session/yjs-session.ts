/**
 * The relay's side of y-websocket's protocol, for one document: a stock `WebsocketProvider` reads it and writes
 * its outbox through here. Somebody who isn't a participant is asked for what they have, which may be a `create`
 * or an invite; it is the same question, and without either the same answer, whether or not there is such a
 * document (docs/protocol.md).
 */
import { CLOSE_CODES, ConfabError, type Outcome, ProtocolViolation, upMessageBytes } from '@confab/core'
import type { News, Principal, Subscriber, UploadAnswer } from '../engine.ts'
import { Connection } from './connection.ts'
import type { Session, SessionOptions } from './session.ts'
import * as yjs from './yjs-messages.ts'

/** y-websocket gives a connection up that brings no message for 30 s. */
const KEEPALIVE = 15_000
/** A state vector may be answered with half a megabyte: it counts as so many operations. */
const STEP_1_COST = 20

export interface YjsSessionOptions extends SessionOptions {
  /** The document's name, as the path gave it. */
  document: string
  token: string
  /** The client asked for outcomes, points and nacks (`?outcomes=1`). */
  outcomes: boolean
}

interface Queued {
  message: Uint8Array
  /** Shows something of the document: not to be sent to somebody who lost it. */
  isContent: boolean
}

export class YjsSession implements Session, Subscriber {
  readonly #options: YjsSessionOptions
  readonly #connection: Connection
  readonly #document: string
  #standing: 'unknown' | 'stranger' | 'member' = 'unknown'
  /** What the client has, as it said last. */
  #stateVector: Uint8Array = yjs.EMPTY
  #out: Queued[] = []
  #isAsked = false
  #flushing = false
  /** News that came while a state vector was being answered; null when none is. */
  #held: News[] | null = null
  /** What became of the operations that made a stranger a participant: told behind the document. */
  #firstOutcomes: Outcome[] = []
  /** Messages are handled one after the other, the first of them after the login. */
  #turn: Promise<unknown>
  #waitingBytes = 0
  #nextRequestAt = 0

  constructor(options: YjsSessionOptions) {
    const { engine, timing } = options
    this.#options = options
    this.#document = options.document
    const stockTiming = { ...timing, heartbeat: Math.min(timing.heartbeat, KEEPALIVE) }
    this.#connection = new Connection(
      { ...options, timing: stockTiming },
      {
        // y-websocket has no way to take another token on a live connection
        tokenExpiring: () => {},
        beat: () => this.#send(yjs.writeAwareness(yjs.EMPTY)),
        closing: () => {
          this.#flush()
          engine.leave(this)
        },
      },
    )
    this.#connection.timer('hello', timing.hello, () =>
      this.close(CLOSE_CODES.silent, 'No sync step 1 for too long'),
    )
    this.#turn = this.#connection.login(options.token).then((who) => {
      if (!who) return
      const { identity, serviceSid } = who.principal
      options.log.info({ identity, serviceSid, agent: 'y-websocket' }, 'connected')
    })
  }

  // ── the gateway's side ────────────────────────────────────────────────────────────────────────────

  receive(message: Uint8Array): void {
    if (!this.#connection.isOpen) return
    this.#connection.heard()
    let read: yjs.YjsMessage
    try {
      read = yjs.readYjsMessage(message, this.#options.limits.updateBytes)
    } catch (error) {
      if (error instanceof ProtocolViolation) {
        this.#violation(error.message)
        return
      }
      throw error
    }
    this.#connection.cancel('hello')
    const wait = this.#connection.charge(message.length, read.type === 'step1' ? STEP_1_COST : 1)
    this.#waitingBytes += message.length
    if (this.#waitingBytes > 2 * upMessageBytes(this.#options.limits)) {
      this.close(CLOSE_CODES.tooManyRequests, 'Too many requests')
      return
    }
    this.#inTurn(async () => {
      this.#waitingBytes -= message.length
      if (this.#connection.isOpen) await this.#take(read, wait)
    })
  }

  #inTurn(run: () => Promise<void>): void {
    this.#turn = this.#turn.then(run).catch((error) => {
      if (error instanceof ConfabError && error.code === 70601) this.#violation(error.message)
      else this.#connection.fail(error, 'y-websocket message')
    })
  }

  receiveText(): void {
    this.#violation('A text message')
  }

  heard(kind: 'ping' | 'pong'): void {
    this.#connection.heard()
    if (kind === 'ping') this.#connection.charge(0, 1)
  }

  close(code: number, reason: string): void {
    this.#connection.close(code, reason)
  }

  ended(): void {
    this.#connection.ended()
  }

  // ── the engine's side ─────────────────────────────────────────────────────────────────────────────

  get principal(): Principal {
    return this.#connection.principal
  }

  changes(_document: string, news: News): void {
    if (this.#held) this.#held.push(news)
    else if (this.#standing === 'member') this.#show(news)
    else this.#letIn(news)
  }

  /** A stranger has become a participant, by an invite or because somebody added them. */
  #letIn({ outcomes }: News): void {
    this.#firstOutcomes.push(...outcomes)
    this.#inTurn(async () => {
      if (this.#connection.isOpen && this.#standing !== 'member') await this.#answer()
    })
  }

  absent(): void {
    // what a removal finds unsent stays unsent
    this.#out = this.#out.filter(({ isContent }) => !isContent)
    for (const news of this.#held ?? []) this.#sendOutcomes(news)
    this.#held = null
    this.#absent()
  }

  replaced(): void {
    this.#replaced()
  }

  awareness(_document: string, update: Uint8Array): void {
    if (this.#standing === 'member') this.#send(yjs.writeAwareness(update), true)
  }

  // ── messages ──────────────────────────────────────────────────────────────────────────────────────

  async #take(message: yjs.YjsMessage, wait: number): Promise<void> {
    switch (message.type) {
      case 'step1':
        if (wait > 0) return this.close(CLOSE_CODES.tooManyRequests, 'Too many requests')
        this.#stateVector = message.stateVector
        await this.#answer()
        return
      case 'update':
        if (wait > 0) return this.#nack({ code: 20429, message: 'Too many requests' }, wait)
        return this.#update(message.update, message.isAnswer)
      case 'awareness':
        if (this.#standing === 'member' && wait === 0) {
          this.#options.engine.awareness(this, this.#document, message.update)
        }
        return
      case 'queryAwareness':
        return this.#send(yjs.writeAwareness(yjs.EMPTY))
    }
  }

  /** Answers what the client said it has: with the document, or with a stranger's question. */
  async #answer(): Promise<'member' | 'stranger' | 'closed'> {
    const { engine, timing } = this.#options
    await this.#connection.room()
    if (!this.#connection.isOpen) return 'closed'
    this.#held = []
    const answer = await engine.answerStateVector(this, this.#document, this.#stateVector)
    const held = this.#held
    if (!this.#connection.isOpen) {
      // the subscription came behind the back of a connection that was leaving
      engine.leave(this)
      return 'closed'
    }
    this.#held = null
    if (answer.status === 'replaced') {
      this.#replaced()
      return 'closed'
    }
    if (answer.status === 'news') {
      this.#connection.cancel('stranger')
      this.#standing = 'member'
      this.#welcome(answer.news, answer.request)
      for (const news of held ?? []) this.#show(news)
      return 'member'
    }
    if (this.#standing === 'member') {
      this.#absent()
      return 'closed'
    }
    if (this.#standing === 'unknown') {
      this.#standing = 'stranger'
      this.#connection.timer('stranger', timing.stranger, () => this.#absent())
      this.#send(yjs.writeStep1(yjs.EMPTY))
    }
    return 'stranger'
  }

  #welcome(news: News, request: Uint8Array): void {
    const updates = news.updates.length > 0 ? news.updates : [yjs.EMPTY_UPDATE]
    for (const update of updates.slice(0, -1)) this.#send(yjs.writeUpdate(update), true, true)
    // only step 2 tells a provider that it is synced, so the last one is
    this.#send(yjs.writeStep2(updates.at(-1) ?? yjs.EMPTY_UPDATE), true, true)
    this.#sendOutcomes({ outcomes: [...this.#firstOutcomes, ...news.outcomes] })
    this.#firstOutcomes = []
    if (this.#options.outcomes) this.#send(yjs.writePoint(news.point))
    this.#send(yjs.writeStep1(request))
  }

  /** A member's uploads follow one another without waiting; a stranger's decide whether they stay. */
  async #update(update: Uint8Array, isAnswer: boolean): Promise<void> {
    const upload = this.#options.engine.upload(this, this.#document, update)
    if (this.#standing !== 'member') {
      return this.#strangerUploaded(await upload, isAnswer)
    }
    upload.then(
      (answer) => this.#uploaded(answer),
      (error) => this.#connection.fail(error, 'upload'),
    )
  }

  #uploaded(answer: UploadAnswer): void {
    if (!this.#connection.isOpen) return
    if (answer.kind === 'violation') this.#violation(answer.message)
    else if (answer.kind === 'nack') this.#nack(answer.error, answer.retryAfter)
    else if (answer.kind === 'taken') this.#sendOutcomes(answer)
    else this.#request(answer.stateVector)
  }

  async #strangerUploaded(answer: UploadAnswer, isAnswer: boolean): Promise<void> {
    if (answer.kind !== 'taken' || !this.#connection.isOpen || this.#standing === 'member')
      return this.#uploaded(answer)
    // behind the document, should it be theirs now: what they made must not be gone in between
    this.#firstOutcomes.push(...answer.outcomes)
    if ((await this.#answer()) !== 'stranger') return
    this.#sendOutcomes({ outcomes: this.#firstOutcomes.splice(0) })
    // An answer is everything that the client has, and an outcome is the relay's last word on it.
    if (isAnswer || answer.outcomes.length > 0) this.#absent()
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────────

  #show(news: News): void {
    for (const update of news.updates) this.#send(yjs.writeUpdate(update), true)
    this.#sendOutcomes(news)
  }

  /** After the update that they are about, so that an accepted message is never gone from both places. */
  #sendOutcomes({ outcomes }: Pick<News, 'outcomes'>): void {
    if (this.#options.outcomes && outcomes.length > 0) this.#send(yjs.writeOutcomes(outcomes))
  }

  /** At a bounded rate: each answer may be a whole document. The newest question replaces one that waits. */
  #request(stateVector: Uint8Array): void {
    if (this.#nextRequestAt <= this.#options.clock.elapsed()) {
      this.#nextRequestAt = this.#options.clock.elapsed() + this.#options.timing.request
      this.#send(yjs.writeStep1(stateVector))
      return
    }
    this.#connection.timer('request', this.#nextRequestAt - this.#options.clock.elapsed(), () =>
      this.#request(stateVector),
    )
  }

  #nack(error: Pick<ConfabError, 'code' | 'message'>, retryAfter: number): void {
    const { code, message } = error
    if (this.#options.outcomes) {
      this.#send(yjs.writeNack({ code, message, retryAfter: Math.ceil(retryAfter) }))
      return
    }
    // A stock client can't be told to send again: connecting again makes it do so.
    if (code === 70602) this.close(CLOSE_CODES.clientIdTaken, message)
    else if (code === 70603) this.#replaced()
    else if (code === 20429) this.close(CLOSE_CODES.tooManyRequests, message)
    else this.close(CLOSE_CODES.internal, message)
  }

  #absent(): void {
    this.close(CLOSE_CODES.absent, 'Not found')
  }

  #replaced(): void {
    this.close(CLOSE_CODES.replaced, 'The document was replaced: clear the local copy and load it afresh')
  }

  #violation(message: string): void {
    this.#options.log.warn({ violation: message }, 'protocol violation')
    this.close(CLOSE_CODES.violation, message)
  }

  #send(message: Uint8Array, isContent = false, asked = false): void {
    if (!this.#connection.isOpen) return
    this.#out.push({ message, isContent })
    this.#isAsked ||= asked
    if (this.#flushing) return
    this.#flushing = true
    this.#options.clock.defer(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    const messages = this.#out.map(({ message }) => message)
    const kind = this.#isAsked ? 'asked' : 'news'
    this.#out = []
    this.#isAsked = false
    this.#connection.send(messages, kind)
  }
}
