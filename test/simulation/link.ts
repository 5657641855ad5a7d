/**
 * A network between simulated devices and a simulated relay: a `Transport` on one side, a `Subscriber` of
 * the relay's engine on the other, and messages that take time, get cut off, and arrive late.
 */

import { inflateSync } from 'node:zlib'
import { ConfabError, type Outcome, type ResumePoint, SERVICE_USER } from '@confab/core'
import type {
  Disconnect,
  OpenRequest,
  Transport,
  TransportEvents,
  TransportFactory,
} from '../../packages/client/src/transport/transport.ts'
import type { OpenAnswer, Principal, Engine as Relay, Subscriber } from '../../server/src/engine.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What a simulated token says; the relay believes it until `expiresAt`. */
export interface SimulatedToken {
  identity: string
  expiresAt: number
}

/** What every connection asks of the world. */
export interface Net {
  readonly time: VirtualTime
  readonly random: Random
  /** The relay that answers now; null while it is down. */
  relay(): Relay | null
  readToken(token: string): SimulatedToken
  /** An honest client was told that it broke the protocol: the simulation fails. */
  violation(message: string): void
  /** Every document that reaches a device is reported before it does. */
  delivered(identity: string, document: string): void
}

export const SERVICE = 'IS00000000000000000000000000000000'
export const ACCOUNT = 'AC00000000000000000000000000000000'

/** One device's way to the relay. `reachable` false: every attempt fails and the live connection is cut. */
export class Link {
  readonly #net: Net
  readonly #identity: string
  #reachable = true
  /** One per tab. */
  readonly #connections = new Set<Connection>()

  constructor(net: Net, identity: string) {
    this.#net = net
    this.#identity = identity
  }

  get reachable(): boolean {
    return this.#reachable
  }

  setReachable(reachable: boolean): void {
    this.#reachable = reachable
    if (!reachable) this.cut(0)
  }

  /** Ends the live connection, whatever is on its way. */
  cut(code: number): void {
    for (const connection of [...this.#connections]) connection.cut({ code, reason: 'cut', permanent: false })
  }

  readonly factory: TransportFactory = (options) => {
    const net = this.#net
    let events: TransportEvents | null = null
    let stopped = false
    let timer: unknown
    let attempts = 0
    let live: Connection | null = null

    const retry = () => {
      if (stopped) return
      attempts++
      net.time.clearTimeout(timer)
      timer = net.time.setTimeout(attempt, net.random.int(50, 500 * Math.min(attempts, 8)))
    }
    const attempt = async () => {
      if (stopped || live) return
      events?.connecting()
      let token: string
      try {
        token = await options.token()
      } catch {
        events?.disconnected({ code: 0, reason: 'no token', permanent: false })
        return retry()
      }
      await net.time.delay(net.random.int(1, 40))
      if (stopped || live) return
      const relay = net.relay()
      const claims = net.readToken(token)
      if (!relay || !this.#reachable) {
        events?.disconnected({ code: 0, reason: 'unreachable', permanent: false })
        return retry()
      }
      if (claims.expiresAt <= net.time.now()) {
        events?.disconnected({ code: 4402, reason: 'token expired', permanent: false })
        return retry()
      }
      attempts = 0
      live = new Connection(net, relay, this.#identity, events as TransportEvents, (why) => {
        live = null
        this.#connections.delete(opened)
        if (!stopped) {
          events?.disconnected(why)
          retry()
        }
      })
      const opened = live
      this.#connections.add(opened)
      net.time.setTimeout(
        () => opened.cut({ code: 4402, reason: 'token expired', permanent: false }),
        claims.expiresAt - net.time.now(),
      )
      live.down(() =>
        events?.connected({
          identity: claims.identity,
          accountSid: ACCOUNT,
          serviceSid: SERVICE,
          now: net.time.now(),
          expiresAt: claims.expiresAt,
          limits: null,
        }),
      )
    }

    const transport: Transport = {
      start(listener) {
        events = listener
        timer = net.time.setTimeout(attempt, 0)
      },
      async stop() {
        stopped = true
        net.time.clearTimeout(timer)
        live?.cut({ code: 1000, reason: 'stopped', permanent: true })
      },
      wake() {
        if (stopped || live) return
        net.time.clearTimeout(timer)
        timer = net.time.setTimeout(attempt, 0)
      },
      setToken() {
        // the next attempt asks for it
      },
      open: (requests) => live?.open(requests),
      close: (documents) => live?.close(documents),
      update: (document, update) => live?.update(document, update),
      awareness: () => {},
      page: (document, hash) => live?.page(document, hash) ?? Promise.reject(new Error('no connection')),
    }
    return transport
  }
}

class Connection {
  readonly #net: Net
  readonly #relay: Relay
  readonly #events: TransportEvents
  readonly #ended: (why: Disconnect) => void
  readonly #subscriber: Subscriber
  #alive = true
  /** As in the wire format: what is said of an opening that the device has closed since doesn't reach it. */
  readonly #channels = new Map<string, number>()
  #nextChannel = 0
  /** The channels as the relay knows them. */
  readonly #relayChannels = new Map<string, number>()
  /** Rejects pages that were asked for. */
  readonly #cutOff = new Set<() => void>()
  /** Messages of one direction arrive in the order of sending. */
  #upAt = 0
  #downAt = 0

  constructor(
    net: Net,
    relay: Relay,
    identity: string,
    events: TransportEvents,
    ended: (why: Disconnect) => void,
  ) {
    this.#net = net
    this.#relay = relay
    this.#events = events
    this.#ended = ended
    const principal: Principal = {
      accountSid: ACCOUNT,
      serviceSid: SERVICE,
      identity,
      serviceRoleSid: SERVICE_USER,
    }
    const receive = (
      document: string,
      replace: boolean,
      news: { point: ResumePoint; updates: Uint8Array[]; outcomes: Outcome[] },
    ) => {
      // an outcome is its author's, wherever they are now
      if (news.updates.length > 0) net.delivered(identity, document)
      // the bytes as they are now: nobody else's buffer travels
      const updates = news.updates.map((update) => update.slice())
      this.#tell(document, () =>
        events.received(document, { replace, point: news.point, updates, outcomes: news.outcomes }),
      )
    }
    this.#subscriber = {
      principal,
      changes: (document, news) => receive(document, false, news),
      replaced: (document, news) => receive(document, true, news),
      absent: (document) => this.#tell(document, () => events.absent(document)),
      awareness: () => {},
    }
  }

  /** Towards the device, after a while, if the connection still stands then. */
  down(deliver: () => void): void {
    const { time, random } = this.#net
    this.#downAt = Math.max(this.#downAt, time.now() + random.int(1, 60))
    time.setTimeout(() => {
      if (this.#alive) deliver()
    }, this.#downAt - time.now())
  }

  /** Of one document, on the channel that the relay knows for it. */
  #tell(document: string, deliver: () => void, channel = this.#relayChannels.get(document)): void {
    this.down(() => {
      if (channel !== undefined && this.#channels.get(document) === channel) deliver()
    })
  }

  /** Towards the relay. What was sent before a cut sometimes still arrives, later than what came after it. */
  #up(deliver: () => void, twice = false): void {
    const { time, random } = this.#net
    if (!this.#alive) return
    const late = random.chance(0.3)
    this.#upAt = Math.max(this.#upAt, time.now() + random.int(1, 60))
    time.setTimeout(() => {
      if (this.#net.relay() !== this.#relay) return
      if (this.#alive) deliver()
      // an upload sometimes arrives once more
      if (this.#alive && twice)
        time.setTimeout(() => this.#net.relay() === this.#relay && deliver(), random.int(1, 500))
      if (!this.#alive && late)
        time.setTimeout(() => this.#net.relay() === this.#relay && deliver(), random.int(1, 2000))
    }, this.#upAt - time.now())
  }

  cut(why: Disconnect): void {
    if (!this.#alive) return
    this.#alive = false
    for (const reject of this.#cutOff) reject()
    this.#relay.leave(this.#subscriber)
    this.#ended(why)
  }

  open(requests: OpenRequest[]): void {
    const channels = requests.map(({ document }) => {
      const channel = this.#channels.get(document) ?? this.#nextChannel++
      this.#channels.set(document, channel)
      return [document, channel] as const
    })
    this.#up(async () => {
      if (!this.#alive) return
      for (const [document, channel] of channels) this.#relayChannels.set(document, channel)
      const answers = await this.#relay.open(
        this.#subscriber,
        requests.map(({ document, point, pending }) => ({ document, ...point, pending })),
      )
      for (const answer of answers) this.#opened(answer)
      if (!this.#alive) this.#relay.leave(this.#subscriber)
    })
  }

  #opened(answer: OpenAnswer): void {
    const { document } = answer
    if (answer.status === 'absent') {
      this.#tell(document, () => this.#events.absent(document))
    } else if (answer.status === 'current') {
      this.#net.delivered(this.#subscriber.principal.identity, document)
      this.#tell(document, () => this.#events.current(document))
    } else {
      const { point, updates, outcomes } = answer.news
      const replace = answer.status === 'snapshot' && answer.replace
      const lost = answer.status === 'snapshot' && answer.lost === true
      this.#net.delivered(this.#subscriber.principal.identity, document)
      this.#tell(document, () => this.#events.received(document, { replace, lost, point, updates, outcomes }))
    }
    const { request } = answer
    if (request) this.#tell(document, () => this.#events.requested(document, request))
  }

  page(document: string, hash: string): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      this.#cutOff.add(() => reject(new Error('the connection was cut')))
      this.#up(async () => {
        const bytes = await this.#relay.page(this.#subscriber.principal, document, hash)
        if (bytes) this.#net.delivered(this.#subscriber.principal.identity, document)
        this.down(() => resolve(bytes && inflateSync(bytes)))
      })
    })
  }

  close(documents: string[]): void {
    const channels = documents.map((document) => [document, this.#channels.get(document)] as const)
    for (const document of documents) this.#channels.delete(document)
    this.#up(() => {
      for (const [document, channel] of channels)
        if (this.#relayChannels.get(document) === channel) this.#relayChannels.delete(document)
      this.#relay.close(this.#subscriber, documents)
    })
  }

  update(document: string, update: Uint8Array): void {
    const copy = update.slice()
    const channel = this.#channels.get(document)
    if (channel === undefined) return
    const tell = (deliver: () => void) => this.#tell(document, deliver, channel)
    this.#up(async () => {
      const answer = await this.#relay.upload(this.#subscriber, document, copy)
      switch (answer.kind) {
        case 'taken':
          if (answer.outcomes.length > 0) tell(() => this.#events.outcomes(document, answer.outcomes))
          break
        case 'request':
          tell(() => this.#events.requested(document, answer.stateVector))
          break
        case 'nack': {
          const { code, message } = answer.error
          tell(() => this.#events.nack(document, { code, message, retryAfter: answer.retryAfter }))
          break
        }
        case 'violation':
          this.#net.violation(`${this.#subscriber.principal.identity} in ${document}: ${answer.message}`)
          this.cut({ code: 4400, reason: answer.message, permanent: true })
      }
    }, this.#net.random.chance(0.05))
  }
}

/** A refusal that a simulated app expects: anything with a code. */
export const isRefusal = (error: unknown): error is ConfabError => error instanceof ConfabError
