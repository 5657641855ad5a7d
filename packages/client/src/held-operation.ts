import type { ConfabError, Json } from '@confab/core'
import type { HeldOperationView, PendingOperationView } from './engine/engine.ts'
import { copyOf } from './shown-attributes.ts'
import type { Surface } from './surface.ts'
import type { OperationContent, PendingOperation } from './types.ts'

/** Something done on this device that was refused, or stranded by a removal. Its content is kept until the person decides. */
export class HeldOperation implements PendingOperation {
  readonly conversationSid: string | null
  /** What it said: a message's text is `operation.body`. */
  readonly operation: OperationContent
  /** Why it is held. */
  readonly error: ConfabError
  /** When it was refused. */
  readonly dateHeld: Date
  readonly #surface: Surface

  /** @internal */
  constructor(surface: Surface, view: HeldOperationView) {
    const { conversationSid, operation } = pendingOperation(view)
    this.#surface = surface
    this.conversationSid = conversationSid
    this.operation = operation
    this.error = view.error
    this.dateHeld = new Date(view.heldAt)
  }

  /**
   * Does it again, as something new, and forgets this one.
   * @throws ConfabError 20404 when it is held no longer, 70501 when storage fails, 70701 after `shutdown`, and what
   * doing it the first time might throw; it then stays held
   */
  async resend(): Promise<void> {
    await this.#surface.working().resend(this.operation.id)
  }

  /**
   * Forgets it.
   * @throws ConfabError 70501 when storage fails, 70701 after `shutdown`
   */
  async discard(): Promise<void> {
    await this.#surface.working().discard(this.operation.id)
  }
}

/** An operation of the engine's as apps see it: a copy, so that nobody changes the engine's. */
export function pendingOperation({ conversationSid, operation }: PendingOperationView): PendingOperation {
  return { conversationSid, operation: copyOf(operation as unknown as Json) as unknown as OperationContent }
}
