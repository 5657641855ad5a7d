/**
 * The relay's side of the native protocol (`packages/core/src/wire/frames.ts`, docs/protocol.md): hello, then
 * documents on channels. Knows no socket, and no document: those are the engine's.
 */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import {
  CLOSE_CODES,
  ConfabError,
  type DownFrame,
  decodeUp,
  type OpenEntry,
  PROTOCOL_VERSION,
  ProtocolViolation,
  type UpFrame,
  upBounds,
  upMessageBytes,
  type WireBounds,
} from '@confab/core'
import type { News, OpenAnswer, Principal, Subscriber, UploadAnswer } from '../engine.ts'
import { type Channel, Channels } from './channels.ts'
import { Connection, type Listener } from './connection.ts'
import { inGroups } from './open-groups.ts'
import { OutQueue, outcomesFrame, outcomesOnly } from './out-queue.ts'
import type { Session, SessionOptions } from './session.ts'

/** Beyond twice as many as may be open it is no hello any more: what a state vector costs at the stock endpoint. */
const REOPEN_COST = 20
/** An entry of `open` costs a fraction of an operation: a device has a thousand of them to say hello with. */
const OPEN_COST = 0.1
/** A page that is to come as it is costs its inflating beside. */
const INFLATE_COST = 4

const inflated = promisify(inflate)
const NOTHING = new Uint8Array(0)

export class NativeSession implements Session, Subscriber, Listener {
  readonly #options: SessionOptions
  readonly #connection: Connection
  readonly #bounds: WireBounds
  readonly #channels: Channels
  readonly #out = new OutQueue()
  /** Entries of `open` so far. */
  #opened = 0
  #flushing = false
  #state: 'new' | 'authenticating' | 'ready' = 'new'
  /** Frames that came while the token was being looked at. */
  #early: UpFrame[] = []
  #earlyBytes = 0
  /** What was asked for is read from the store one after the other, as the client takes it. */
  #reading: Promise<void> = Promise.resolve()

  constructor(options: SessionOptions) {
    this.#options = options
    this.#bounds = upBounds(options.limits)
    this.#channels = new Channels(options.limits.openDocuments)
    this.#connection = new Connection(options, this)
    this.#connection.timer('hello', options.timing.hello, () =>
      this.close(CLOSE_CODES.silent, 'No hello for too long'),
    )
  }

  // ── the gateway's side ────────────────────────────────────────────────────────────────────────────

  receive(message: Uint8Array): void {
    if (!this.#connection.isOpen) return
    this.#connection.heard()
    let frames: UpFrame[]
    try {
      frames = decodeUp(message, this.#bounds)
    } catch (error) {
      if (error instanceof ProtocolViolation) {
        this.#violation(error.message)
        return
      }
      throw error
    }
    const wait = this.#connection.charge(message.length, operationsOf(frames))
    for (const frame of frames) {
      if (!this.#connection.isOpen) return
      this.#receive(frame, message.length, wait)
    }
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

  // ── the connection's side ─────────────────────────────────────────────────────────────────────────

  tokenExpiring(expiresAt: number): void {
    this.#send({ type: 'tokenExpiring', expiresAt })
  }

  beat(): void {}

  closing(): void {
    this.#flush()
    this.#options.engine.leave(this)
  }

  // ── the engine's side ─────────────────────────────────────────────────────────────────────────────

  get principal(): Principal {
    return this.#connection.principal
  }

  changes(document: string, news: News): void {
    this.#tell(document, (channel) => ({ type: 'changes', channel, ...news }))
  }

  replaced(document: string, news: News): void {
    this.#tell(document, (channel) => ({ type: 'snapshot', channel, replace: true, lost: false, ...news }))
  }

  absent(document: string): void {
    const channel = this.#channels.of(document)
    if (!channel) return
    channel.lost++
    if (channel.state === 'opening') channel.revoked = true
    channel.held = channel.held.flatMap(outcomesOnly)
    this.#out.withdraw(channel.number)
    channel.requestWaiting = null
    this.#tell(document, (number) => ({ type: 'absent', channel: number }))
  }

  awareness(document: string, update: Uint8Array): void {
    this.#tell(document, (channel) => ({ type: 'awareness', channel, update }))
  }

  #tell(document: string, frame: (channel: number) => DownFrame): void {
    const channel = this.#channels.of(document)
    if (!channel) return
    if (channel.state === 'opening') channel.held.push(frame(channel.number))
    else this.#send(frame(channel.number))
  }

  // ── frames ────────────────────────────────────────────────────────────────────────────────────────

  #receive(frame: UpFrame, messageBytes: number, wait: number): void {
    if (this.#state === 'new') {
      if (frame.type !== 'hello') {
        this.#violation('The first frame must be hello')
        return
      }
      this.#hello(frame)
    } else if (frame.type === 'hello') {
      this.#violation('A second hello')
    } else if (this.#state === 'authenticating') {
      this.#early.push(frame)
      this.#earlyBytes += messageBytes
      if (this.#earlyBytes > 2 * upMessageBytes(this.#options.limits)) {
        this.close(CLOSE_CODES.tooManyRequests, 'Too much before the welcome')
      }
    } else {
      this.#take(frame, wait)
    }
  }

  #take(frame: Exclude<UpFrame, { type: 'hello' }>, wait: number): void {
    switch (frame.type) {
      case 'open':
        this.#open(frame.entries)
        break
      case 'close':
        this.#close(frame.channels)
        break
      case 'update':
        this.#update(frame.channel, frame.update, wait)
        break
      case 'awareness':
        this.#awareness(frame.channel, frame.update, wait)
        break
      case 'token':
        this.#connection.refresh(frame.token)
        break
      case 'getPage':
        this.#getPage(frame, wait)
        break
      case 'ping':
        this.#send({ type: 'pong', nonce: frame.nonce, now: this.#options.clock.now() })
        break
    }
  }

  #awareness(number: number, update: Uint8Array, wait: number): void {
    const channel = this.#channels.numbered(number)
    // Presence that is too much is not worth a word.
    if (channel && wait === 0) this.#options.engine.awareness(this, channel.document, update)
    else if (!channel) this.#violation('Awareness on a channel that is not open')
  }

  #hello(frame: Extract<UpFrame, { type: 'hello' }>): void {
    this.#connection.cancel('hello')
    if (frame.version !== PROTOCOL_VERSION) {
      this.close(CLOSE_CODES.version, `This relay speaks version ${PROTOCOL_VERSION}`)
      return
    }
    this.#state = 'authenticating'
    this.#connection.login(frame.token).then((who) => {
      if (!who) return
      const { clock, limits, timing, log } = this.#options
      const { identity, accountSid, serviceSid } = who.principal
      log.info({ identity, serviceSid, agent: frame.agent }, 'connected')
      this.#send({
        type: 'welcome',
        version: PROTOCOL_VERSION,
        identity,
        accountSid,
        serviceSid,
        now: clock.now(),
        expiresAt: who.expiresAt,
        heartbeat: timing.heartbeat,
        limits: JSON.stringify(limits),
      })
      this.#state = 'ready'
      const early = this.#early
      this.#early = []
      for (const frame of early) if (this.#connection.isOpen) this.#receive(frame, 0, 0)
    })
  }

  // ── opening ───────────────────────────────────────────────────────────────────────────────────────

  #open(entries: OpenEntry[]): void {
    this.#opened += entries.length
    if (this.#opened > 2 * this.#options.limits.openDocuments) {
      this.#connection.charge(0, REOPEN_COST * entries.length)
      if (!this.#connection.isOpen) return
    }
    const opening: { entry: OpenEntry; channel: Channel }[] = []
    for (const entry of entries) {
      const wasOpen = this.#channels.numbered(entry.channel)?.state === 'open'
      const channel = this.#channels.open(entry)
      if (!channel) {
        this.#violation('A channel or a document is open already')
        return
      }
      // Opened again: it is read again, from the point that the client now has.
      if (wasOpen) this.#options.engine.close(this, [entry.document])
      if (channel.state === 'refused')
        this.#nack(channel, new ConfabError(20429, 'Too many open documents'), 0)
      else opening.push({ entry, channel })
    }
    if (this.#channels.isOverrun) {
      this.close(CLOSE_CODES.tooManyRequests, 'Too many open documents')
      return
    }
    for (const group of inGroups(opening)) {
      this.#read(() => this.#openGroup(group))
    }
  }

  #read(read: () => Promise<void>): void {
    this.#reading = this.#reading.then(read).catch((error) => this.#connection.fail(error, 'reading'))
  }

  async #openGroup(group: { entry: OpenEntry; channel: Channel }[]): Promise<void> {
    const { engine } = this.#options
    await this.#room()
    if (!this.#connection.isOpen) return
    const wanted = group.filter(({ channel }) => channel.state === 'opening')
    if (wanted.length === 0) return
    const answers = await engine.open(
      this,
      wanted.map(({ entry: { channel, ...query } }) => query),
    )
    // Whoever left while the engine was reading has been subscribed behind their back.
    if (!this.#connection.isOpen) return engine.leave(this)
    this.#answer(wanted, answers)
  }

  async #room(): Promise<void> {
    // what was sent before must count before there is room for more
    if (this.#out.isAsked) this.#flush()
    await this.#connection.room()
  }

  #answer(wanted: { channel: Channel }[], answers: OpenAnswer[]): void {
    const opened: Extract<DownFrame, { type: 'opened' }> = { type: 'opened', entries: [] }
    const rest: DownFrame[] = []
    for (const [at, { channel }] of wanted.entries()) {
      const answer = answers[at]
      if (!answer) throw new TypeError('The engine left a query without an answer')
      if (channel.state === 'closed') {
        this.#options.engine.close(this, [channel.document])
        continue
      }
      channel.state = 'open'
      const status = channel.revoked ? 'absent' : answer.status
      opened.entries.push({ channel: channel.number, status })
      rest.push(...framesOf(answer, channel), ...channel.held)
      channel.held = []
      if (answer.request && !channel.revoked) rest.push(this.#requestFrame(channel, answer.request))
    }
    if (opened.entries.length > 0) this.#send(opened, true)
    for (const frame of rest) this.#send(frame, true)
  }

  #close(numbers: number[]): void {
    for (const number of numbers) {
      const channel = this.#channels.numbered(number)
      if (!channel) continue
      const wasOpen = channel.state === 'open'
      this.#channels.close(channel)
      // One that is being opened is closed when its answer comes.
      if (wasOpen) this.#options.engine.close(this, [channel.document])
    }
  }

  // ── history ───────────────────────────────────────────────────────────────────────────────────────

  #getPage({ channel: number, hash, deflate }: Extract<UpFrame, { type: 'getPage' }>, wait: number): void {
    const channel = this.#channels.numbered(number)
    if (!channel) {
      this.#violation('A page on a channel that is not open')
      return
    }
    this.#read(async () => {
      if (wait > 0) await this.#connection.rest(wait)
      await this.#room()
      if (!this.#connection.isOpen || !this.#channels.isOpen(channel)) return
      const { engine } = this.#options
      const { lost } = channel
      const stored =
        channel.state === 'refused' ? null : await engine.page(this.principal, channel.document, hash)
      const deflated = deflate && stored !== null
      const bytes = stored && !deflate ? await inflated(stored) : stored
      if (!this.#channels.isOpen(channel)) return
      // lost meanwhile: the same as never having had it
      const isLost = channel.lost !== lost
      this.#send(
        isLost || !bytes
          ? { type: 'page', channel: number, hash, deflated: false, bytes: NOTHING }
          : { type: 'page', channel: number, hash, deflated, bytes },
        true,
      )
    })
  }

  // ── uploading ─────────────────────────────────────────────────────────────────────────────────────

  #update(number: number, update: Uint8Array, wait: number): void {
    const channel = this.#channels.numbered(number)
    if (!channel) {
      this.#violation('An update on a channel that is not open')
      return
    }
    if (channel.state === 'refused') {
      this.#nack(channel, new ConfabError(20429, 'Too many open documents'), 0)
      return
    }
    if (wait > 0) {
      this.#nack(channel, new ConfabError(20429), wait)
      return
    }
    this.#options.engine.upload(this, channel.document, update).then(
      (answer) => this.#uploaded(channel, answer),
      (error) => this.#connection.fail(error, 'upload'),
    )
  }

  #uploaded(channel: Channel, answer: UploadAnswer): void {
    if (!this.#connection.isOpen) return
    if (answer.kind === 'violation') {
      this.#violation(answer.message)
      return
    }
    if (channel.state === 'closed') return
    if (answer.kind === 'nack') this.#nack(channel, answer.error, answer.retryAfter)
    else if (answer.kind === 'request') this.#request(channel, answer.stateVector)
    else for (const frame of outcomesFrame(channel.number, answer.outcomes)) this.#send(frame)
  }

  #nack(channel: Channel, error: ConfabError, retryAfter: number): void {
    const { code, message } = error
    this.#send({ type: 'nack', channel: channel.number, code, message, retryAfter: Math.ceil(retryAfter) })
  }

  /** Asks for what is missing, at a bounded rate: each answer may be a whole outbox. */
  #request(channel: Channel, stateVector: Uint8Array): void {
    const wait = channel.nextRequestAt - this.#options.clock.elapsed()
    if (wait <= 0) {
      this.#send(this.#requestFrame(channel, stateVector))
      return
    }
    channel.requestWaiting = stateVector
    this.#connection.timer(`request ${channel.number}`, wait, () => {
      if (channel.state !== 'closed' && channel.requestWaiting) {
        this.#send(this.#requestFrame(channel, channel.requestWaiting))
      }
    })
  }

  #requestFrame(channel: Channel, stateVector: Uint8Array): DownFrame {
    channel.nextRequestAt = this.#options.clock.elapsed() + this.#options.timing.request
    channel.requestWaiting = null
    return { type: 'request', channel: channel.number, stateVector }
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────────

  #violation(message: string): void {
    this.#options.log.warn({ violation: message }, 'protocol violation')
    this.close(CLOSE_CODES.violation, message)
  }

  #send(frame: DownFrame, asked = false): void {
    if (!this.#connection.isOpen) return
    this.#out.push(frame, asked)
    if (this.#flushing) return
    this.#flushing = true
    this.#options.clock.defer(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    if (this.#out.isEmpty) return
    const kind = this.#out.isAsked ? 'asked' : 'news'
    this.#connection.send(this.#out.take(), kind)
  }
}

function operationsOf(frames: readonly UpFrame[]): number {
  let sum = 0
  for (const frame of frames) {
    sum += 1
    if (frame.type === 'open') sum += OPEN_COST * frame.entries.length
    else if (frame.type === 'getPage' && !frame.deflate) sum += INFLATE_COST
  }
  return sum
}

/** What an answer brings, for a channel that may have been lost while it was read. */
function framesOf(answer: OpenAnswer, channel: Channel): DownFrame[] {
  if (answer.status === 'current' || answer.status === 'absent') return []
  const { number } = channel
  const { news } = answer
  if (channel.revoked) return outcomesFrame(number, news.outcomes)
  return answer.status === 'snapshot'
    ? [{ type: 'snapshot', channel: number, replace: answer.replace, lost: answer.lost === true, ...news }]
    : [{ type: 'changes', channel: number, ...news }]
}
