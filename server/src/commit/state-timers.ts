/**
 * Conversations that become inactive, or closed, after a while without a message. The store keeps what is due when, by
 * an index; here there is one timer, for the soonest. Documents are loaded when theirs is due, and not before.
 */
import { type Operation, uuidV7 } from '@confab/core'
import type { DocumentCommit, DueTransition } from '../store/store.ts'
import type { EngineSettings } from './options.ts'

/** Transitions decided together: after a long stop many are overdue, and people are served in between. */
const AT_A_TIME = 64
/** Milliseconds until what failed is tried again. */
const RETRY_AFTER = 5000
/** Milliseconds that a timer runs at most: meanwhile somebody may set the clock, of which nothing tells. */
const LONGEST = 3_600_000

export class StateTimers {
  readonly #options: EngineSettings
  readonly #submit: (due: DueTransition, operation: Operation) => Promise<unknown>
  #timer: { at: number; cancel: () => void } | null = null
  #running: Promise<void> | null = null
  /** Something sooner may have been committed while it ran. */
  #again = false
  #stopped = false

  /** @param submit decides the operation if the transition is still what the conversation's timers do next */
  constructor(
    options: EngineSettings,
    submit: (due: DueTransition, operation: Operation) => Promise<unknown>,
  ) {
    this.#options = options
    this.#submit = submit
  }

  /** Does what is overdue, and waits for the next. */
  start(): void {
    if (this.#stopped) return
    if (this.#running) {
      this.#again = true
      return
    }
    this.#again = false
    this.#cancel()
    this.#running = this.#run().finally(() => {
      this.#running = null
      if (this.#again) this.start()
    })
  }

  /** Takes note of commits: what they make due may be the soonest now. */
  committed(commits: readonly DocumentCommit[]): void {
    for (const { transition } of commits) {
      if (!transition) continue
      if (this.#running) this.#again = true
      else if (!this.#timer || transition.at < this.#timer.at) this.#wait(transition.at)
    }
  }

  /** No timer runs out any more. */
  stop(): void {
    this.#stopped = true
    this.#again = false
    this.#cancel()
  }

  /** Resolves when everything that was due is decided. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    const { store, now, logger } = this.#options
    try {
      while (!this.#stopped) {
        const soonest = await store.transitions(AT_A_TIME)
        const due = soonest.filter(({ at }) => at <= now())
        if (due.length === 0) {
          if (soonest[0]) this.#wait(soonest[0].at)
          return
        }
        const results = await Promise.allSettled(due.map((one) => this.#submit(one, this.#operation(one))))
        const failed = results.find((result) => result.status === 'rejected')
        if (failed) logger.error({ err: failed.reason }, 'a timer could not change a state')
        if (results.every(({ status }) => status === 'rejected')) return this.#wait(now() + RETRY_AFTER)
      }
    } catch (error) {
      logger.error({ err: error }, 'timers could not be read')
      this.#wait(now() + RETRY_AFTER)
    }
  }

  #operation({ to }: DueTransition): Operation {
    const { now, random } = this.#options
    const base = { id: uuidV7(now(), random), dateWritten: now() }
    return to === 'closed'
      ? { ...base, type: 'conversation.close' }
      : { ...base, type: 'conversation.update', state: to }
  }

  #wait(at: number): void {
    this.#cancel()
    if (this.#stopped) return
    const { after, now } = this.#options
    const left = Math.min(Math.max(0, at - now()), LONGEST)
    this.#timer = { at, cancel: after(left, () => this.start()) }
  }

  #cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
