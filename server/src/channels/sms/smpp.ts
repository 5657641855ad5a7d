/**
 * SMS by SMPP 3.4: bound as a transceiver to a message centre (SMSC), with a window, a rate, and a connection that is
 * made again. A long message is sent in parts, of which the last asks for the receipt. What a person sends is
 * acknowledged once it is on disk; the protocol gives it no name, so one that the centre tells twice is two messages.
 */
import type { Pdu, Session } from 'smpp'
import {
  type Channel,
  ChannelError,
  type ChannelEvents,
  DELIVERY_ERRORS,
  type OutboundMessage,
  type SentMessage,
} from '../channel.ts'
import { optionalPackage } from '../optional-package.ts'
import { Throttle } from '../throttle.ts'
import { readReceipt } from './receipt.ts'
import { joiningHeader, MOST_PARTS, type PartOf, readHeader, segmentsOf, sensible } from './segments.ts'

export interface SmppOptions {
  /** Letters, digits and dashes. */
  name?: string
  host: string
  /** 2775 by default; 3550 with TLS. */
  port?: number
  tls?: boolean
  systemId: string
  password: string
  /** Numbers of ours at this centre, in E.164 form. */
  addresses: readonly string[]
  /** Requests that may be unanswered at a time; 10 by default. */
  window?: number
  /** Parts per second, sustained; 10 by default. */
  perSecond?: number
  /** Milliseconds between signs of life; 30,000 by default. */
  enquireLink?: number
  /** Milliseconds before the first try to connect again, doubling up to a minute; 1,000 by default. */
  reconnect?: number
  /** Milliseconds for an answer; 10,000 by default. */
  timeout?: number
}

/** Errors (SMPP 3.4, 5.1.3) after which another try may help: the centre is busy, throttles, or lost the binding. */
const TEMPORARY = new Set([0x04, 0x08, 0x14, 0x58, 0x64, 0x65, 0xfe])
const LONGEST_RECONNECT = 60_000

/** @throws ConfabError 20001 (start) when the package `smpp` is missing */
export function smpp(options: SmppOptions): Channel {
  return new SmppChannel(options)
}

class SmppChannel implements Channel {
  readonly type = 'sms'
  readonly name: string
  readonly addresses: readonly string[]
  readonly #options: Required<SmppOptions>
  readonly #throttle: Throttle
  #events: ChannelEvents | null = null
  #session: Session | null = null
  #isBound = false
  #detail = 'not started'
  #failures = 0
  #reference = 0
  #cancelTimer = () => {}
  #open: ((session: { host: string; port: number; tls: boolean }) => Session) | null = null
  /** Sends that wait for an answer: the end of the connection is one. */
  readonly #unanswered = new Set<(error: ChannelError) => void>()

  constructor(options: SmppOptions) {
    const { name = 'smpp', tls = false, port = tls ? 3550 : 2775 } = options
    this.#options = {
      name,
      tls,
      port,
      window: 10,
      perSecond: 10,
      enquireLink: 30_000,
      reconnect: 1000,
      timeout: 10_000,
      ...options,
    } as Required<SmppOptions>
    this.name = name
    this.addresses = options.addresses
    this.#throttle = new Throttle(this.#options.window, this.#options.perSecond)
  }

  async start(events: ChannelEvents): Promise<void> {
    const { default: library } = await optionalPackage<typeof import('smpp')>('smpp', () => import('smpp'))
    this.#open = (to) => library.connect(to)
    this.#events = events
    this.#connect()
  }

  async stop(): Promise<void> {
    this.#events = null
    this.#cancelTimer()
    const session = this.#session
    if (!session) return
    const gone = new Promise<void>((resolve) => session.once('close', resolve))
    // a centre that doesn't answer an unbind is left without it
    const cancel = timer(2000, () => session.destroy())
    if (!this.#isBound || !session.unbind({}, () => session.close())) session.destroy()
    await gone
    cancel()
  }

  status(): { isConnected: boolean; detail: string } {
    return { isConnected: this.#isBound, detail: this.#detail }
  }

  // ── sending ───────────────────────────────────────────────────────────────────────────────────────

  async send({ from, to, body }: OutboundMessage): Promise<SentMessage> {
    const { encoding, parts } = segmentsOf(body)
    if (parts.length > MOST_PARTS) {
      throw new ChannelError(
        'permanent',
        21617,
        `The message has ${parts.length} parts, at most ${MOST_PARTS} fit`,
      )
    }
    const reference = this.#reference++ & 0xff
    let channelMessageSid = ''
    for (const [at, message] of parts.entries()) {
      const isLast = at === parts.length - 1
      const udh =
        parts.length > 1 ? joiningHeader({ reference, total: parts.length, number: at + 1 }) : undefined
      const answer = await this.#throttle.run(() =>
        this.#submit({
          source_addr: from.slice(1),
          source_addr_ton: 1,
          source_addr_npi: 1,
          destination_addr: to.slice(1),
          dest_addr_ton: 1,
          dest_addr_npi: 1,
          data_coding: encoding === 'ucs2' ? 8 : 0,
          registered_delivery: isLast ? 1 : 0,
          short_message: udh ? { udh, message } : { message },
        }),
      )
      channelMessageSid = answer.message_id ?? ''
    }
    return { channelMessageSid }
  }

  #submit(options: object): Promise<Pdu> {
    const session = this.#session
    if (!session || !this.#isBound) return Promise.reject(away(this.#detail))
    return new Promise((resolve, reject) => {
      const fail = (error: ChannelError) => {
        cancel()
        this.#unanswered.delete(fail)
        reject(error)
      }
      const cancel = timer(this.#options.timeout, () => {
        fail(away('the message centre did not answer'))
        session.destroy()
      })
      this.#unanswered.add(fail)
      const isSent = session.submit_sm(options, (pdu) => {
        if (pdu.command_status !== 0) return fail(refusal(pdu.command_status))
        cancel()
        this.#unanswered.delete(fail)
        resolve(pdu)
      })
      if (!isSent) fail(away('the connection ended'))
    })
  }

  // ── the connection ────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    const { host, port, tls, systemId, password, enquireLink, timeout } = this.#options
    if (!this.#events || !this.#open) return
    this.#detail = `connecting to ${host}:${port}`
    const session = this.#open({ host, port, tls })
    this.#session = session
    let cancelEnquiry = () => {}
    const cancelDeadline = timer(timeout, () => session.destroy())
    const enquire = () => {
      const cancelAnswer = timer(timeout, () => session.destroy())
      session.enquire_link({}, cancelAnswer)
      cancelEnquiry = timer(enquireLink, enquire)
    }
    session.on(tls ? 'secureConnect' : 'connect', () => {
      session.bind_transceiver({ system_id: systemId, password, interface_version: 0x34 }, (pdu) => {
        cancelDeadline()
        if (pdu.command_status !== 0) {
          this.#detail = `the message centre refused the binding (${hex(pdu.command_status)}): are system id and password right?`
          this.#events?.log.warn({ channel: this.name, status: hex(pdu.command_status) }, this.#detail)
          return session.destroy()
        }
        this.#isBound = true
        this.#failures = 0
        this.#detail = `bound to ${host}:${port} as ${systemId}`
        this.#events?.log.info({ channel: this.name }, this.#detail)
        cancelEnquiry = timer(enquireLink, enquire)
      })
    })
    session.on('deliver_sm', (pdu: Pdu) => void this.#delivered(session, pdu))
    session.on('enquire_link', (pdu: Pdu) => session.send(pdu.response()))
    session.on('unbind', (pdu: Pdu) => {
      session.send(pdu.response())
      session.close()
    })
    session.on('unknown', (pdu: Pdu) => session.send(pdu.response()))
    session.on('error', (error: Error) => {
      this.#detail = `no connection to ${host}:${port}: ${error.message}`
      // bytes that are no SMPP: nothing that follows can be read
      session.destroy()
    })
    session.on('close', () => {
      cancelDeadline()
      cancelEnquiry()
      const wasBound = this.#isBound
      this.#isBound = false
      this.#session = null
      for (const fail of [...this.#unanswered]) fail(away('the connection ended'))
      if (!this.#events) return
      if (wasBound)
        this.#events.log.warn({ channel: this.name }, 'the connection to the message centre ended')
      const wait = Math.min(LONGEST_RECONNECT, this.#options.reconnect * 2 ** this.#failures++)
      this.#cancelTimer = timer(wait / 2 + (wait / 2) * Math.random(), () => this.#connect())
    })
  }

  // ── receiving ─────────────────────────────────────────────────────────────────────────────────────

  async #delivered(session: Session, pdu: Pdu): Promise<void> {
    const events = this.#events
    if (!events) return
    try {
      await this.#take(events, pdu)
      session.send(pdu.response())
    } catch (error) {
      events.log.warn({ channel: this.name, err: error }, 'an inbound message could not be stored')
      // ESME_RX_T_APPN: the centre keeps it and tells it again
      session.send(pdu.response({ command_status: 0x64 }))
    }
  }

  async #take(events: ChannelEvents, pdu: Pdu): Promise<void> {
    const { text, part } = contentOf(pdu)
    if (((pdu.esm_class ?? 0) & 0x3c) === 0x04) {
      const report = readReceipt({
        text,
        ...(pdu.receipted_message_id && { messageId: pdu.receipted_message_id }),
        ...(pdu.message_state !== undefined && { state: pdu.message_state }),
      })
      if (report) await events.reported(report)
      return
    }
    const from = numberOf(pdu.source_addr)
    const to = numberOf(pdu.destination_addr)
    const id = crypto.randomUUID()
    if (!part || part.total === 1) {
      await events.received({ id, from, to, body: text })
      return
    }
    const whole = await events.joined({ from, to, ...part, text })
    if (whole === null) return
    await events.received({ id, from, to, body: whole })
    await events.joinedAndPosted({ from, to, ...part })
  }
}

function contentOf(pdu: Pdu): { text: string; part: PartOf | null } {
  const payload = pdu.message_payload
  const content = pdu.short_message?.message.length
    ? pdu.short_message
    : payload && 'message' in payload
      ? payload
      : (pdu.short_message ?? { message: '' })
  const { message, udh } = content
  const text = typeof message === 'string' ? message : message.toString('latin1')
  const header = Array.isArray(udh) ? Buffer.concat([Buffer.of(0), ...udh]) : udh
  const bySar =
    pdu.sar_total_segments === undefined
      ? null
      : sensible({
          reference: pdu.sar_msg_ref_num ?? 0,
          total: pdu.sar_total_segments,
          number: pdu.sar_segment_seqnum ?? 0,
        })
  return { text: text.toWellFormed(), part: header ? readHeader(header) : bySar }
}

const numberOf = (address = ''): string => (address.startsWith('+') ? address : `+${address}`)
const hex = (status: number): string => `0x${status.toString(16).padStart(8, '0')}`
const away = (why: string) => new ChannelError('temporary', DELIVERY_ERRORS.unknown, why)
const refusal = (status: number) =>
  new ChannelError(
    TEMPORARY.has(status) ? 'temporary' : 'permanent',
    status,
    `The message centre answered ${hex(status)}`,
  )

/** A timer that keeps no process alive. */
function timer(milliseconds: number, run: () => void): () => void {
  const handle = setTimeout(run, milliseconds)
  handle.unref()
  return () => clearTimeout(handle)
}
