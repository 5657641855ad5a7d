/**
 * From a conversation to the people without the SDK. The queue is the conversations themselves: a message's receipt
 * says `queued` from the commit on that accepted it, and stays so until a provider has taken it; what is held here is
 * a window on that. So a relay that dies loses nothing, and sends again what it may or may not have sent.
 *
 * To one participant messages go in their order, one after the other; participants don't wait for each other.
 */
import type { MediaRecord, MessageRecord, ParticipantRecord } from '@confab/core'
import type { CommittedOperation } from '../hooks.ts'
import { isTaken } from '../media/options.ts'
import {
  type Channel,
  ChannelError,
  type ChannelType,
  DELIVERY_ERRORS,
  type MediaRules,
  MOST_ATTACHMENTS,
  type OutboundMedia,
  type OutboundMessage,
  type SendResult,
} from './channel.ts'
import type { ChannelStore, ConversationInfo, Desk, Outgoing } from './desk.ts'
import type { Reports } from './reports.ts'
import { bodyFor, type Naming } from './text.ts'

export interface OutboundOptions {
  desk: Desk
  store: ChannelStore
  reports: Reports
  /** The channel that sends from an address of ours. */
  channelOf(serviceSid: string, proxyAddress: string): Channel | undefined
  naming: Naming
  timeZone: string
  /** Milliseconds since acceptance after which a message is given up. */
  expiry: number
  /** Sends at a time, over all channels. */
  concurrency: number
  now(): number
  /** From 0, below 1. */
  random(): number
  /** Counts tries. */
  sent?(type: ChannelType, result: SendResult): void
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  log: { warn(details: object, message: string): void; error(details: object, message: string): void }
}

/** Messages that are held here at a time; the rest stay in the store until there is room. */
const WINDOW = 5000
/** Milliseconds before the second try, doubling up to the longest. */
const FIRST_RETRY = 1000
const LONGEST_RETRY = 300_000

interface Parcel extends Outgoing {
  participantSid: string
  attempts: number
}

/** What waits for one participant, oldest first. */
interface Lane {
  readonly parcels: Parcel[]
  state: 'ready' | 'sending' | 'waiting'
  cancel: () => void
}

export class Outbound {
  readonly #options: OutboundOptions
  readonly #lanes = new Map<string, Lane>()
  /** Messages that are held, by sid, with how many parcels are left of each. */
  readonly #held = new Map<string, number>()
  readonly #underWay = new Set<Promise<void>>()
  #loadedTo = 0
  /** The store may have more than the window holds. */
  #hasMore = true
  #loading: Promise<void> | null = null
  #isStopped = false

  constructor(options: OutboundOptions) {
    this.#options = options
  }

  /** Takes up what an earlier run left. Resolves when the first of it is here. */
  start(): Promise<void> {
    return this.#load()
  }

  /** Takes note of a commit. */
  committed({ serviceSid, conversationSid, changes }: CommittedOperation): void {
    for (const change of changes) {
      if (change.type !== 'message.append' || !change.record.receipts) continue
      if (this.#held.size >= WINDOW || this.#loading) this.#hasMore = true
      else this.#hold({ serviceSid, conversationSid, messageSid: change.record.sid }, change.record)
    }
    this.#next()
  }

  /** Begins no more sends. Resolves when those under way have ended and are on record. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const lane of this.#lanes.values()) lane.cancel()
    await this.#loading
    await this.settled()
  }

  /** Resolves when the sends that are under way now have ended and are on record. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  /** How many messages wait here; what the window doesn't hold isn't counted. */
  get depth(): number {
    return this.#held.size
  }

  #load(): Promise<void> {
    this.#loading ??= this.#loadNow().finally(() => {
      this.#loading = null
      // what was committed meanwhile is behind what was read
      if (this.#hasMore && this.#held.size < WINDOW && !this.#isStopped) void this.#load()
      this.#next()
    })
    return this.#loading
  }

  async #loadNow(): Promise<void> {
    const { store, desk, log } = this.#options
    this.#hasMore = false
    try {
      const found = await store.outgoing(this.#loadedTo, WINDOW)
      for (const { position, ...outgoing } of found) {
        if (this.#isStopped) return
        this.#loadedTo = position
        if (this.#held.has(outgoing.messageSid)) continue
        const message = await desk.message(outgoing.serviceSid, outgoing.conversationSid, outgoing.messageSid)
        if (message) this.#hold(outgoing, message)
      }
      if (found.length === WINDOW) this.#hasMore = true
    } catch (error) {
      log.error({ err: error }, 'what waits for channels could not be read')
      this.#hasMore = true
      await new Promise<void>((resolve) => this.#options.after(FIRST_RETRY, resolve))
    }
  }

  #hold(outgoing: Outgoing, message: MessageRecord): void {
    let parcels = 0
    for (const { participantSid, status } of message.receipts ?? []) {
      if (status !== 'queued') continue
      const key = participantSid
      let lane = this.#lanes.get(key)
      if (!lane) {
        lane = { parcels: [], state: 'ready', cancel: () => {} }
        this.#lanes.set(key, lane)
      }
      lane.parcels.push({ ...outgoing, participantSid, attempts: 0 })
      parcels++
    }
    if (parcels > 0) this.#held.set(outgoing.messageSid, parcels)
  }

  #next(): void {
    if (this.#isStopped) return
    for (const lane of this.#lanes.values()) {
      if (this.#underWay.size >= this.#options.concurrency) return
      if (lane.state === 'ready' && lane.parcels.length > 0) this.#send(lane)
    }
    if (this.#hasMore && this.#held.size < WINDOW / 2 && !this.#loading) void this.#load()
  }

  #send(lane: Lane): void {
    lane.state = 'sending'
    const sending = this.#sendFirst(lane).finally(() => {
      this.#underWay.delete(sending)
      this.#next()
    })
    this.#underWay.add(sending)
  }

  async #sendFirst(lane: Lane): Promise<void> {
    const parcel = lane.parcels[0] as Parcel
    let wait: number | null = null
    try {
      wait = await this.#attempt(parcel)
    } catch (error) {
      // the store failed, not the channel
      this.#options.log.error({ err: error, message: parcel.messageSid }, 'a delivery could not be recorded')
      wait = this.#backoff(parcel)
    }
    if (wait === null) this.#done(lane, parcel)
    else this.#again(lane, wait)
  }

  #done(lane: Lane, parcel: Parcel): void {
    lane.parcels.shift()
    lane.state = 'ready'
    if (lane.parcels.length === 0) this.#lanes.delete(parcel.participantSid)
    const left = (this.#held.get(parcel.messageSid) ?? 1) - 1
    if (left > 0) this.#held.set(parcel.messageSid, left)
    else this.#held.delete(parcel.messageSid)
  }

  #again(lane: Lane, wait: number): void {
    lane.state = 'waiting'
    if (this.#isStopped) return
    lane.cancel = this.#options.after(wait, () => {
      lane.state = 'ready'
      this.#next()
    })
  }

  /** Null when there is nothing left to do about it; otherwise the milliseconds until the next try. */
  async #attempt(parcel: Parcel): Promise<number | null> {
    const { desk, store, channelOf, now, expiry } = this.#options
    const { serviceSid, conversationSid, messageSid } = parcel
    const message = await desk.message(serviceSid, conversationSid, messageSid)
    const receipt = message?.receipts?.find(({ participantSid }) => participantSid === parcel.participantSid)
    // removed, or sent by a run before this one
    if (!message || receipt?.status !== 'queued') return null
    const conversation = await desk.conversation(serviceSid, conversationSid)
    const participant = conversation?.participants.find(({ sid }) => sid === parcel.participantSid)
    // who has left is written to no more
    if (!conversation || !participant?.binding) return this.#failed(parcel, DELIVERY_ERRORS.unknown)
    const { address, proxyAddress } = participant.binding
    const channel = channelOf(serviceSid, proxyAddress)
    if (!channel) return this.#failed(parcel, DELIVERY_ERRORS.noChannel)
    if (await store.isOptedOut(serviceSid, address, proxyAddress)) {
      return this.#failed(parcel, DELIVERY_ERRORS.optedOut, channel.name)
    }
    if (now() - message.dateCreated > expiry) {
      return this.#failed(parcel, DELIVERY_ERRORS.expired, channel.name)
    }
    try {
      const { channelMessageSid, status = 'sent' } = await channel.send(
        this.#letter(serviceSid, message, conversation, participant, channel),
      )
      this.#options.sent?.(channel.type, 'sent')
      await this.#options.reports.report(parcel, channel.name, {
        participantSid: parcel.participantSid,
        status,
        channelMessageSid,
      })
      return null
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      this.#options.sent?.(channel.type, error.kind)
      const details = { channel: channel.name, message: messageSid, code: error.code, reason: error.message }
      this.#options.log.warn(details, `a message was not taken (${error.kind})`)
      if (error.kind === 'permanent') return this.#failed(parcel, error.code, channel.name)
      return error.retryAfter ?? this.#backoff(parcel)
    }
  }

  #letter(
    serviceSid: string,
    message: MessageRecord,
    { record, participants }: ConversationInfo,
    participant: ParticipantRecord,
    { carries }: Channel,
  ): OutboundMessage {
    const { naming, timeZone } = this.#options
    const { address, proxyAddress } = participant.binding as NonNullable<ParticipantRecord['binding']>
    const media = carries && carriedOf(carries, message.media ?? [])
    const carried = media && new Set(media.map(({ sid }) => sid))
    return {
      idempotencyKey: `${message.sid}-${participant.sid}`,
      from: proxyAddress,
      to: address,
      body: bodyFor(message, {
        naming,
        participants: participants.length,
        timeZone,
        ...(carried && { carried }),
      }),
      ...(media?.length && { media: media.map((one) => this.#outboundMedia(serviceSid, one)) }),
      ...(message.subject !== undefined && { subject: message.subject }),
      conversation: {
        sid: record.sid,
        ...(record.friendlyName !== undefined && { friendlyName: record.friendlyName }),
      },
      messageSid: message.sid,
      participantSid: participant.sid,
      author: message.author,
    }
  }

  #outboundMedia(
    serviceSid: string,
    { sid, filename = 'file', contentType, size }: MediaRecord,
  ): OutboundMedia {
    return {
      filename,
      contentType,
      size,
      read: async () => {
        const content = await this.#options.desk.content(serviceSid, sid)
        if (!content)
          throw new ChannelError('permanent', DELIVERY_ERRORS.unknown, `The content of ${sid} is gone`)
        return content
      },
    }
  }

  async #failed(parcel: Parcel, errorCode: number, source = 'channels'): Promise<null> {
    const { participantSid } = parcel
    await this.#options.reports.report(parcel, source, { participantSid, status: 'failed', errorCode })
    return null
  }

  /** Exponential, with full jitter above half: what failed together isn't tried again together. */
  #backoff(parcel: Parcel): number {
    const most = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** parcel.attempts)
    parcel.attempts++
    return most / 2 + (most / 2) * this.#options.random()
  }
}

/** Those that the channel carries, in their order, as many as fit. */
function carriedOf({ maxBytes, types, mostOf }: MediaRules, media: readonly MediaRecord[]): MediaRecord[] {
  const carried: MediaRecord[] = []
  let left = maxBytes
  for (const one of media) {
    if (carried.length === MOST_ATTACHMENTS || one.size > left || !isTaken(types, one.contentType)) continue
    if (mostOf && one.size > mostOf(one.contentType)) continue
    carried.push(one)
    left -= one.size
  }
  return carried
}
