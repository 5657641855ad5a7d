/** What this person says of themselves: decided on what is seen, made durable, shown, sent, and waited for. */
import {
  ConfabError,
  decideUser,
  type Operation,
  type PushChannelType,
  projectUser,
  type UserDecideContext,
  type UserState,
} from '@confab/core'
import type { Directory } from './directory.ts'
import { operationOf } from './drafts.ts'
import type { OperationDraft } from './engine.ts'
import type { ConversationHost } from './host.ts'
import { type UserLedger, userParts } from './user-ledger.ts'

/** What is known here, for deciding. */
export interface UserKnowledge {
  /** What the relay is known to have accepted. */
  readonly base: UserState
  contextFor(operation: Operation): UserDecideContext
  /** Something is shown that was not, or may be told that was withheld. */
  changed(): void
}

export class UserWriter {
  readonly #host: ConversationHost
  readonly #directory: Directory
  readonly #ledger: UserLedger
  readonly #known: UserKnowledge
  /** Decided here and on their way to the disk. */
  #inflight: Operation[] = []
  /** By channel: what this device registered last. */
  readonly #push = new Map<string, string>()

  constructor(host: ConversationHost, directory: Directory, ledger: UserLedger, known: UserKnowledge) {
    this.#host = host
    this.#directory = directory
    this.#ledger = ledger
    this.#known = known
  }

  restoreValue(key: string, value: unknown): void {
    if (key.startsWith(pushKey(''))) this.#push.set(key.slice(pushKey('').length), value as string)
  }

  /**
   * As a conversation's mutators: limits and rules at once, durable, then the relay's verdict.
   * @param others what goes in the same write
   */
  async submit(
    drafts: readonly OperationDraft[],
    others: { remove?: string[]; values?: { [key: string]: unknown } } = {},
  ): Promise<Operation[]> {
    const { journal, verdicts, link, platform, identity } = this.#host
    const operations = this.#admit(drafts)
    if (operations.length === 0 && !others.remove && !others.values) return []
    const parts = operations.flatMap((operation) => userParts(operation, identity))
    this.#ledger.withheld.withhold(parts)
    try {
      const { name } = this.#directory
      const entries = await journal
        .append(
          operations.map((operation) => ({ id: operation.id, document: name, operation, state: 'pending' })),
          others,
        )
        .finally(() => this.#landed(operations))
      const ids = operations.map(({ id }) => id)
      // registered before it is sent: its verdict may come in the same turn
      const verdict = link.connected && ids.length > 0 ? verdicts.wait(ids) : null
      this.#directory.appended(entries, others.remove ?? [])
      await verdict
      return operations
    } finally {
      // in a later task than the one in which the caller hears that its promise has settled
      platform.macrotask(() => {
        this.#ledger.withheld.release(parts)
        this.#known.changed()
      })
    }
  }

  async setPush(channelType: PushChannelType, token: string): Promise<void> {
    const before = this.#push.get(channelType)
    const drafts: OperationDraft[] = [{ type: 'push.set', channelType, token }]
    // a device has one registration with each service
    if (before !== undefined && before !== token)
      drafts.unshift({ type: 'push.remove', channelType, token: before })
    await this.submit(drafts, { values: { [pushKey(channelType)]: token } })
    this.#push.set(channelType, token)
  }

  /** @param token null: what this device registered last */
  async removePush(channelType: PushChannelType, token: string | null): Promise<void> {
    const own = this.#push.get(channelType)
    const gone = token ?? own
    if (gone === undefined) return
    const values = gone === own ? { values: { [pushKey(channelType)]: undefined } } : {}
    await this.submit([{ type: 'push.remove', channelType, token: gone }], values)
    if (gone === own) this.#push.delete(channelType)
  }

  /** What is worth storing, decided in order. */
  #admit(drafts: readonly OperationDraft[]): Operation[] {
    const { limits, platform } = this.#host
    const written = [...this.#directory.pending, ...this.#inflight]
    if (written.length + drafts.length > limits.pendingOperations) throw new ConfabError(70107)
    const contextFor = (operation: Operation) => this.#known.contextFor(operation)
    const seen = projectUser(this.#known.base, written, contextFor)
    const operations: Operation[] = []
    for (const draft of drafts) {
      const operation = operationOf(draft, limits, platform)
      const decision = decideUser(seen, operation, contextFor(operation))
      if (decision.verdict !== 'accepted') {
        const { code, message } = decision
        throw new ConfabError(code as ConstructorParameters<typeof ConfabError>[0], message)
      }
      seen.apply(decision.changes)
      if (decision.changes.length > 0) operations.push(operation)
    }
    this.#inflight.push(...operations)
    return operations
  }

  #landed(operations: readonly Operation[]): void {
    this.#inflight = this.#inflight.filter((one) => !operations.includes(one))
  }
}

/** Where the journal's values keep what this device registered for push. */
const pushKey = (channelType: string): string => `push ${channelType}`
