/**
 * From people without the SDK into a conversation: the one that their pair of addresses is bound to, or a new one
 * where an address of ours is configured to begin one. What they write is posted as an operation like everybody's,
 * under an id that is a hash of the provider's, so that what a provider tells twice is one message.
 */
import { createHash } from 'node:crypto'
import {
  conversationSid,
  type MediaRecord,
  messageSidOf,
  type Operation,
  type Outcome,
  participantSid,
} from '@confab/core'
import { normaliseAddress } from '../address.ts'
import { type Channel, type InboundMessage, MOST_ATTACHMENTS, type StatusReport } from './channel.ts'
import type { ChannelStore, Desk } from './desk.ts'
import type { Reports } from './reports.ts'
import { wishOf } from './text.ts'

/** What becomes of a stranger's message to an address of ours. */
export interface AddressConfiguration {
  address: string
  /** A conversation is created with the stranger and these people, or the message is refused. */
  autoCreate: false | { friendlyName?: string; identities: readonly string[] }
}

export interface InboundOptions {
  desk: Desk
  store: ChannelStore
  reports: Reports
  /** Resolves when the sends that are under way are on record. */
  settled(): Promise<void>
  /** Of one of our addresses; undefined: strangers are refused. */
  configurationOf(serviceSid: string, address: string): Promise<AddressConfiguration | undefined>
  now(): number
  log: { info(details: object, message: string): void; warn(details: object, message: string): void }
}

/** 32 hex digits that are the same for the same parts. */
const idOf = (...parts: string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)

export class Inbound {
  readonly #options: InboundOptions

  constructor(options: InboundOptions) {
    this.#options = options
  }

  async received(
    serviceSid: string,
    channel: Channel,
    message: InboundMessage,
  ): Promise<'posted' | 'refused'> {
    const { desk, store, log } = this.#options
    const from = normaliseAddress(message.from)
    const to = normaliseAddress(message.to)
    if (from === null || to === null) {
      log.warn({ channel: channel.name }, 'an inbound message was refused: not an address')
      return 'refused'
    }
    const wish = channel.type === 'email' ? null : wishOf(message.body)
    if (wish) await store.setOptedOut(serviceSid, from, to, wish === 'stop')
    const sid =
      (await desk.bindingOwner(serviceSid, from, to)) ??
      (await this.#begin(serviceSid, channel, from, to, message.id))
    if (sid === null) {
      log.info(
        { channel: channel.name },
        'an inbound message was refused: the address begins no conversations',
      )
      return 'refused'
    }
    const { participantSid: claimed } = message
    if (claimed !== undefined && claimed !== participantSid(sid, { address: from, proxyAddress: to })) {
      log.warn(
        { channel: channel.name },
        'an inbound message was refused: it answers what somebody else was sent',
      )
      return 'refused'
    }
    const id = idOf('inbound', channel.name, message.id)
    // told again: what is attached isn't taken again
    if (message.media?.length && (await desk.message(serviceSid, sid, messageSidOf(id)))) return 'posted'
    const { media, body } = await this.#bring(serviceSid, sid, message)
    const outcome = await this.#submit(
      serviceSid,
      channel,
      sid,
      id,
      {
        type: 'message.post',
        body,
        ...(media.length > 0 && { media }),
        ...(message.subject !== undefined && { subject: message.subject }),
        author: from,
      },
      message.at,
    )
    if (outcome.verdict === 'accepted') return 'posted'
    log.warn(
      { channel: channel.name, code: outcome.code, reason: outcome.message },
      'an inbound message was refused',
    )
    return 'refused'
  }

  /** What is attached, as the message has it, and the text, which names what the relay doesn't take. */
  async #bring(
    serviceSid: string,
    sid: string,
    { body, media = [] }: InboundMessage,
  ): Promise<{ media: MediaRecord[]; body: string }> {
    const records: MediaRecord[] = []
    const lines = [body]
    for (const [at, one] of media.entries()) {
      const record = at < MOST_ATTACHMENTS ? await this.#options.desk.bring(serviceSid, sid, one) : null
      if (record) records.push(record)
      else lines.push(`[${one.filename ?? one.contentType}]`)
    }
    return { media: records, body: lines.filter(Boolean).join('\n') }
  }

  async reported(channel: Channel, report: StatusReport): Promise<void> {
    const { store, desk, reports } = this.#options
    let found = await store.sentAs(report.channelMessageSid)
    if (found.length === 0) {
      // a provider may be quicker with its report than the relay with its record of the send
      await this.#options.settled()
      found = await store.sentAs(report.channelMessageSid)
    }
    for (const sent of found) {
      const conversation = await desk.conversation(sent.serviceSid, sent.conversationSid)
      const participant = conversation?.participants.find(({ sid }) => sid === sent.participantSid)
      // providers number from the beginning, each for itself
      if (participant && !channel.addresses.includes(participant.binding?.proxyAddress ?? '')) continue
      const { status, errorCode } = report
      await reports.report(sent, channel.name, {
        participantSid: sent.participantSid,
        status,
        ...(errorCode !== undefined && { errorCode }),
      })
    }
  }

  /** A conversation for a stranger, with the people whom the address names; null when it begins none. */
  async #begin(
    serviceSid: string,
    channel: Channel,
    from: string,
    to: string,
    id: string,
  ): Promise<string | null> {
    const configuration = await this.#options.configurationOf(serviceSid, to)
    if (!configuration?.autoCreate) return null
    const { friendlyName = from, identities } = configuration.autoCreate
    // the same for the same inbound message: a crash in the middle goes on where it was
    const nonce = idOf('nonce', channel.name, id)
    const sid = conversationSid('', nonce)
    const operations: Draft[] = [
      { type: 'conversation.create', nonce, friendlyName },
      ...identities.map((identity): Draft => ({ type: 'participant.add', identity })),
      { type: 'participant.add', binding: { address: from, proxyAddress: to } },
    ]
    for (const [at, operation] of operations.entries()) {
      const outcome = await this.#submit(
        serviceSid,
        channel,
        sid,
        idOf('begin', nonce, String(at)),
        operation,
      )
      if (outcome.verdict === 'accepted' || (at > 0 && at < operations.length - 1)) continue
      this.#options.log.warn(
        { channel: channel.name, code: outcome.code, reason: outcome.message },
        'no conversation could be begun for an inbound message',
      )
      // two messages of one stranger at a time: the other one has begun it
      return outcome.code === 50416 ? this.#options.desk.bindingOwner(serviceSid, from, to) : null
    }
    return sid
  }

  #submit(
    serviceSid: string,
    channel: Channel,
    sid: string,
    id: string,
    draft: Draft,
    dateWritten: number = this.#options.now(),
  ): Promise<Outcome> {
    return this.#options.desk.submit(
      serviceSid,
      sid,
      { id, dateWritten, ...draft } as Operation,
      channel.name,
    )
  }
}

type Draft = Operation extends infer One
  ? One extends Operation
    ? Omit<One, 'id' | 'dateWritten'>
    : never
  : never
