/**
 * Receipts on their way into messages. A report writes its message again, so those of one message that come while one
 * is being written go together: no timer, and nothing waits longer than for the write before it.
 */
import { type DeliveryReport, type Operation, uuidV7 } from '@confab/core'
import type { Desk, Outgoing } from './desk.ts'

interface Gathering {
  reports: DeliveryReport[]
  done: Promise<void>
}

export class Reports {
  readonly #desk: Pick<Desk, 'submit'>
  readonly #now: () => number
  readonly #random: (bytes: number) => Uint8Array
  /** By message: what waits for the write that runs; null while nothing does. */
  readonly #running = new Map<string, Gathering | null>()

  constructor(options: {
    desk: Pick<Desk, 'submit'>
    now: () => number
    random: (bytes: number) => Uint8Array
  }) {
    this.#desk = options.desk
    this.#now = options.now
    this.#random = options.random
  }

  /** Resolves when it is on disk, or the message is gone; rejects (70502) when it could not be stored. */
  report(message: Outgoing, source: string, report: DeliveryReport): Promise<void> {
    const key = message.messageSid
    const waiting = this.#running.get(key)
    if (waiting === undefined) return this.#write(message, source, [report])
    if (waiting) {
      waiting.reports.push(report)
      return waiting.done
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const gathering: Gathering = { reports: [report], done: promise }
    this.#running.set(key, gathering)
    this.#afterwards.set(key, () => this.#write(message, source, gathering.reports).then(resolve, reject))
    return promise
  }

  readonly #afterwards = new Map<string, () => void>()

  async #write(message: Outgoing, source: string, receipts: DeliveryReport[]): Promise<void> {
    const key = message.messageSid
    this.#running.set(key, null)
    const now = this.#now()
    const operation: Operation = {
      id: uuidV7(now, this.#random),
      type: 'message.report',
      dateWritten: now,
      sid: message.messageSid,
      receipts,
    }
    try {
      await this.#desk.submit(message.serviceSid, message.conversationSid, operation, source)
    } finally {
      const next = this.#afterwards.get(key)
      this.#afterwards.delete(key)
      this.#running.delete(key)
      next?.()
    }
  }
}
