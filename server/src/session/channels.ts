import type { DownFrame, OpenEntry } from '@confab/core'

/** A document as one connection has it open. */
export interface Channel {
  readonly number: number
  readonly document: string
  /** `refused`: one too many; what is uploaded there is not taken either. */
  state: 'opening' | 'open' | 'refused' | 'closed'
  /** Became somebody else's while it was being opened: what was read for it must not be sent. */
  revoked: boolean
  /** How often it was lost to this reader. */
  lost: number
  /** What happened while it was being opened, in order: sent behind the answer. */
  held: DownFrame[]
  /** Not before this time may another `request` go out; what waits for it. */
  nextRequestAt: number
  requestWaiting: Uint8Array | null
}

/** The channels of one connection: by number, as the client calls them, and by document, as the engine does. */
export class Channels {
  readonly #most: number
  readonly #byNumber = new Map<number, Channel>()
  readonly #byDocument = new Map<string, Channel>()
  #refused = 0

  /** @param most channels beyond which more are refused */
  constructor(most: number) {
    this.#most = most
  }

  /** So many were refused that nobody is listening to the refusals. */
  get isOverrun(): boolean {
    return this.#refused > this.#most
  }

  numbered(number: number): Channel | undefined {
    return this.#byNumber.get(number)
  }

  of(document: string): Channel | undefined {
    return this.#byDocument.get(document)
  }

  /** A fresh channel, `opening` or `refused`; null when the number or the document is open as something else. */
  open(entry: OpenEntry): Channel | null {
    const before = this.#byNumber.get(entry.channel)
    if (before !== this.#byDocument.get(entry.document)) return null
    if (before) this.close(before)
    const isRefused = this.#byNumber.size - this.#refused >= this.#most
    if (isRefused) this.#refused++
    const channel: Channel = {
      number: entry.channel,
      document: entry.document,
      state: isRefused ? 'refused' : 'opening',
      revoked: false,
      lost: 0,
      held: [],
      nextRequestAt: 0,
      requestWaiting: null,
    }
    this.#byNumber.set(channel.number, channel)
    this.#byDocument.set(channel.document, channel)
    return channel
  }

  /** Whether it is still this document's: it wasn't closed, nor opened again. */
  isOpen(channel: Channel): boolean {
    return this.#byNumber.get(channel.number) === channel
  }

  close(channel: Channel): void {
    if (channel.state === 'refused') this.#refused--
    channel.state = 'closed'
    this.#byNumber.delete(channel.number)
    this.#byDocument.delete(channel.document)
  }
}
