import { ConfabError } from '@confab/core'

type Resolve<T> = (value: T | PromiseLike<T>) => void
type Reject = (reason?: unknown) => void

/** A promise whose work can be called off. */
export class CancellablePromise<T> extends Promise<T> {
  /** `then`, `catch` and the like give plain promises: only the work itself can be called off. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  readonly #cancel: () => void

  /**
   * @param executor starts the work; `onCancel` takes what stops it.
   */
  constructor(
    executor: (resolve: Resolve<T>, reject: Reject, onCancel: (cancel: () => void) => void) => void,
  ) {
    let rejectThis: Reject = () => {}
    let stop: (() => void) | undefined
    super((resolve, reject) => {
      rejectThis = reject
      executor(resolve, reject, (cancel) => {
        stop = cancel
      })
    })
    this.#cancel = () => {
      stop?.()
      rejectThis(new ConfabError(20001, 'Cancelled by the application'))
    }
  }

  /** Stops the work; the promise rejects (20001) unless it has settled. */
  cancel(): this {
    this.#cancel()
    return this
  }
}
