/**
 * Messages that are older than they may be are removed by the relay, as anybody's removal: devices hear of it, pages
 * are made anew, and no byte of the text stays. Rules are of a service or of one conversation, which has the word.
 */
import { type Operation, type Outcome, uuidV7 } from '@confab/core'
import type { ObjectStore } from '../store/objects.ts'
import type { Store } from '../store/store.ts'

export interface RetentionRule {
  serviceSid: string
  /** Null: every conversation of the service that has no rule of its own. */
  conversationSid: string | null
  /** How long messages are kept; null: for ever. */
  days: number | null
}

export interface RetentionOptions {
  store: Pick<Store, 'objects' | 'catalogue' | 'messageRange'>
  /** As a system actor. */
  submit(serviceSid: string, conversationSid: string, operation: Operation): Promise<Outcome>
  /** Milliseconds between two rounds. */
  every: number
  now(): number
  random(bytes: number): Uint8Array
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  log: { info(details: object, message: string): void; error(details: object, message: string): void }
}

const RETENTION = 'retention'
const DAY = 24 * 60 * 60 * 1000
/** Conversations and messages that are looked at together. */
const AT_A_TIME = 100

/** Which rules there are. */
export class RetentionRules {
  readonly #objects: ObjectStore

  constructor(objects: ObjectStore) {
    this.#objects = objects
  }

  async set({ serviceSid, conversationSid, days }: RetentionRule): Promise<void> {
    const sid = conversationSid ?? serviceSid
    // a conversation that keeps everything says so against its service's rule
    if (days === null && conversationSid === null) await this.#objects.delete(serviceSid, RETENTION, sid)
    else await this.#objects.put(serviceSid, RETENTION, sid, { days })
  }

  async list(): Promise<RetentionRule[]> {
    const all = await this.#objects.all(RETENTION)
    return all.map(({ scope, sid, value }) => ({
      serviceSid: scope,
      conversationSid: sid.startsWith('CH') ? sid : null,
      days: (value as { days: number | null }).days,
    }))
  }
}

export class Retention {
  readonly rules: RetentionRules
  readonly #options: RetentionOptions
  #cancel: () => void = () => {}
  #running: Promise<void> | null = null
  #isStopped = false

  constructor(options: RetentionOptions) {
    this.#options = options
    this.rules = new RetentionRules(options.store.objects)
  }

  set = async (rule: RetentionRule): Promise<void> => {
    await this.rules.set(rule)
    void this.round()
  }

  list = (): Promise<RetentionRule[]> => this.rules.list()

  start(): void {
    void this.round()
  }

  /** Resolves when nothing is removed any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel()
    await this.#running
  }

  /** Goes once through what has a rule. A rule that is set meanwhile counts in another round at once. */
  round(): Promise<void> {
    const before = this.#running ?? Promise.resolve()
    const running = before
      .then(() => this.#round())
      .catch((error) => this.#options.log.error({ err: error }, 'old messages could not be removed'))
      .finally(() => {
        if (this.#running !== running) return
        this.#running = null
        this.#cancel()
        if (!this.#isStopped) this.#cancel = this.#options.after(this.#options.every, () => void this.round())
      })
    this.#running = running
    return running
  }

  async #round(): Promise<void> {
    const rules = await this.rules.list()
    const own = new Map(rules.map((rule) => [`${rule.serviceSid}/${rule.conversationSid}`, rule]))
    for (const { serviceSid, conversationSid, days } of rules) {
      if (days === null) continue
      const cutoff = this.#options.now() - days * DAY
      if (conversationSid !== null) {
        await this.#remove(serviceSid, conversationSid, cutoff)
        continue
      }
      for await (const sid of this.#conversations(serviceSid)) {
        if (!own.has(`${serviceSid}/${sid}`)) await this.#remove(serviceSid, sid, cutoff)
      }
    }
  }

  async *#conversations(serviceSid: string): AsyncGenerator<string> {
    for (let after = -1; !this.#isStopped; ) {
      const { catalogue } = this.#options.store
      const found = await catalogue.conversations(serviceSid, {}, { after }, AT_A_TIME)
      for (const { sid } of found) yield sid
      const last = found.at(-1)
      if (!last || found.length < AT_A_TIME) return
      after = last.position
    }
  }

  async #remove(serviceSid: string, conversationSid: string, cutoff: number): Promise<void> {
    const { store, submit, now, random, log } = this.#options
    const found = await store.catalogue.conversation(serviceSid, conversationSid)
    if (!found) return
    let removed = 0
    for (let from = 0; !this.#isStopped; ) {
      const some = await store.messageRange(found.key, from, found.highestIndex + 1, AT_A_TIME)
      // dates ascend with the index
      const old = some.filter(({ record }) => record.dateCreated < cutoff)
      const outcomes = await Promise.all(
        old.map(({ record: { sid } }) =>
          submit(serviceSid, conversationSid, {
            id: uuidV7(now(), random),
            type: 'message.remove',
            dateWritten: now(),
            sid,
          }),
        ),
      )
      // an app may want to keep some
      removed += outcomes.filter(({ verdict }) => verdict === 'accepted').length
      if (old.length < AT_A_TIME) break
      from = (old.at(-1)?.record.index ?? 0) + 1
    }
    if (removed > 0) log.info({ conversation: conversationSid, removed }, 'old messages were removed')
  }
}
