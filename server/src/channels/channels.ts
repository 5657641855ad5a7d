/** The channels of a relay, put together: what they send and receive, and where their webhooks are. */
import { randomBytes } from 'node:crypto'
import { ConfabError, type MessageRecord, type ParticipantRecord } from '@confab/core'
import type { Engine } from '../engine.ts'
import type { CommittedOperation } from '../hooks.ts'
import { cleanType } from '../media/content-types.ts'
import { type Media, recordOf } from '../media/media.ts'
import type { Store } from '../store/store.ts'
import type { Channel, ChannelEvents, ChannelType, SendResult } from './channel.ts'
import type { ConversationInfo, Desk } from './desk.ts'
import { type AddressConfiguration, Inbound } from './inbound.ts'
import { Outbound } from './outbound.ts'
import { Reports } from './reports.ts'
import { storedAddress } from './stored-addresses.ts'
import type { Naming } from './text.ts'

export interface ChannelsOptions {
  /** Sid of the service that these channels are for. */
  serviceSid: string
  channels: readonly Channel[]
  /** What becomes of strangers' messages, by our address. Refused by default. */
  addresses?: readonly AddressConfiguration[]
  /** Whether messages name their author; in conversations of more than two by default. */
  naming?: Naming
  /** IANA name of the zone in which "written …" is said; UTC by default. */
  timeZone?: string
  /** Milliseconds that a message may wait to be sent; a day by default. */
  expiry?: number
  /** Messages that are being handed over at a time; 50 by default. */
  concurrency?: number
}

type Log = ConstructorParameters<typeof Outbound>[0]['log'] & ChannelEvents['log']

export class Channels {
  readonly #options: ChannelsOptions
  readonly #desk: Desk
  readonly #store: Store
  readonly #reports: Reports
  readonly #outbound: Outbound
  readonly #inbound: Inbound
  readonly #log: Log
  readonly #byAddress = new Map<string, Channel>()

  /** @throws ConfabError 20001 when two channels have one name, or one address */
  constructor(
    options: ChannelsOptions,
    relay: {
      store: Store
      engine: Pick<Engine, 'submit'>
      log: Log
      /** Null when the relay takes no attachments. */
      media?: Media | null
      sent?(type: ChannelType, result: SendResult): void
    },
  ) {
    const { store, engine, log, sent, media = null } = relay
    this.#options = options
    this.#store = store
    this.#log = log
    this.#desk = deskOf(store, engine, media)
    const names = new Set<string>()
    for (const channel of options.channels) {
      if (!/^[a-z0-9-]{1,32}$/i.test(channel.name) || names.has(channel.name)) {
        throw new ConfabError(
          20001,
          `channels: ${channel.name} must be a name of its own, of letters, digits and dashes`,
        )
      }
      names.add(channel.name)
      for (const address of channel.addresses) {
        if (this.#byAddress.has(address)) throw new ConfabError(20001, `channels: two send from ${address}`)
        this.#byAddress.set(address, channel)
      }
    }
    const random = (bytes: number) => randomBytes(bytes)
    const now = Date.now
    this.#reports = new Reports({ desk: this.#desk, now, random })
    this.#outbound = new Outbound({
      desk: this.#desk,
      store: store.channels,
      reports: this.#reports,
      channelOf: (serviceSid, address) =>
        serviceSid === options.serviceSid ? this.#byAddress.get(address) : undefined,
      naming: options.naming ?? 'group',
      timeZone: options.timeZone ?? 'UTC',
      expiry: options.expiry ?? 24 * 60 * 60 * 1000,
      concurrency: options.concurrency ?? 50,
      ...(sent && { sent }),
      now,
      random: Math.random,
      after(milliseconds, run) {
        const timer = setTimeout(run, milliseconds)
        timer.unref()
        return () => clearTimeout(timer)
      },
      log,
    })
    this.#inbound = new Inbound({
      desk: this.#desk,
      store: store.channels,
      reports: this.#reports,
      settled: () => this.#outbound.settled(),
      configurationOf: async (serviceSid, address) =>
        options.addresses?.find((one) => one.address === address) ??
        storedAddress(store.objects, serviceSid, address),
      now,
      log,
    })
  }

  /** @throws ConfabError 20001 when a channel lacks a package */
  async start(): Promise<void> {
    for (const channel of this.#options.channels) await channel.start(this.#eventsOf(channel))
    await this.#outbound.start()
  }

  committed(operation: CommittedOperation): void {
    this.#outbound.committed(operation)
  }

  /** Ends sending, then receiving. Resolves when every channel is gone. */
  async stop(): Promise<void> {
    await this.#outbound.stop()
    await Promise.all(this.#options.channels.map((channel) => channel.stop()))
  }

  named(name: string): Channel | undefined {
    return this.#options.channels.find((channel) => channel.name === name)
  }

  get list(): readonly Channel[] {
    return this.#options.channels
  }

  /** Messages that wait to be sent. */
  get depth(): number {
    return this.#outbound.depth
  }

  #eventsOf(channel: Channel): ChannelEvents {
    const { serviceSid } = this.#options
    const { channels: store } = this.#store
    return {
      received: (message) => this.#inbound.received(serviceSid, channel, message),
      reported: (report) => this.#inbound.reported(channel, report),
      joined: async (part) => (await store.putPart(channel.name, part, Date.now()))?.join('') ?? null,
      joinedAndPosted: (part) => store.deleteParts(channel.name, part),
      log: this.#log,
    }
  }
}

/** How often an app is waited for that judges attachments, and milliseconds between. Its provider tells it again. */
const APP_ASKED = 200
const APP_EVERY = 50

/** Conversations as they are stored. */
export function deskOf(store: Store, engine: Pick<Engine, 'submit'>, media: Media | null): Desk {
  return {
    async conversation(serviceSid, sid): Promise<ConversationInfo | null> {
      const loaded = await store.load(serviceSid, sid)
      if (!loaded || loaded.head.deleted) return null
      const record: { [key: string]: unknown } = {}
      const participants: ParticipantRecord[] = []
      for (const { root, key, value } of loaded.mapItems) {
        if (value === undefined) continue
        if (root === 'conversation') record[key] = value
        else if (root === 'participants') participants.push(value as ParticipantRecord)
      }
      return { record: record as unknown as ConversationInfo['record'], participants }
    },
    async message(serviceSid, conversationSid, messageSid): Promise<MessageRecord | null> {
      const key = await store.keyOf(serviceSid, conversationSid)
      if (key === null) return null
      const [found] = await store.messages(key, [messageSid])
      return found?.record ?? null
    },
    async content(serviceSid, mediaSid) {
      const found = await media?.ofService(serviceSid, mediaSid)
      return found && media ? media.read(found) : null
    },
    async bring(serviceSid, conversationSid, { filename = null, contentType: given, content }) {
      const contentType = cleanType(given) ?? 'application/octet-stream'
      try {
        const brought = await media?.bring(
          { serviceSid, category: 'media', filename, contentType },
          content,
          null,
        )
        if (!media || !brought) return null
        let taken: typeof brought | null = brought
        for (let asked = 0; taken?.state === 'checking'; asked++) {
          if (asked === APP_ASKED) throw new ConfabError(70502, 'The app has not judged an attachment yet')
          await new Promise((resolve) => setTimeout(resolve, APP_EVERY))
          taken = await media.ofService(serviceSid, brought.sid)
        }
        return taken && (await media.assign(taken, conversationSid)) ? recordOf(taken) : null
      } catch (error) {
        if (error instanceof ConfabError && [70607, 70608, 70609].includes(error.code)) return null
        throw error
      }
    },
    bindingOwner: (serviceSid, address, proxyAddress) =>
      store.bindingOwner(serviceSid, address, proxyAddress),
    submit: (serviceSid, conversationSid, operation, source) =>
      engine.submit(serviceSid, conversationSid, operation, source),
  }
}
