/** The mutators: decide on what is seen, make it durable, show it, send it, wait for the verdict. */
import {
  ConfabError,
  conversationSid,
  type Json,
  messageSidOf,
  type Operation,
  toHex,
  uuidV7,
} from '@confab/core'
import type { JournalEntry } from '../storage/storage.ts'
import type { LocalConversation } from './conversation.ts'
import { operationOf, withheldParts } from './drafts.ts'
import type { ConversationView, OperationDraft } from './engine.ts'
import { isHorizon } from './horizons.ts'
import type { ConversationHost } from './host.ts'

/** What the relay, or its app, says against the attachments of a post. */
const OF_ATTACHMENTS: ReadonlySet<number> = new Set([70301, 70606, 70607, 70608, 70609])

interface CommitOptions {
  wait: 'verdict' | 'durable'
  /** Journal entries that go in the same write. */
  remove?: string[]
  /** Undecided operations among them, to be taken out of the outbox. */
  withdraw?: string[]
  values?: { [key: string]: unknown }
  /** Of the message that the drafts are about. */
  index?: number | undefined
}

export class Writer {
  readonly #host: ConversationHost
  /** Gives the conversation, known or not. */
  readonly #conversation: (sid: string) => LocalConversation

  constructor(host: ConversationHost, conversation: (sid: string) => LocalConversation) {
    this.#host = host
    this.#conversation = conversation
  }

  newConversation(fields: { friendlyName?: string; uniqueName?: string; attributes?: Json }): {
    sid: string
    draft: OperationDraft
  } {
    const nonce = toHex(this.#host.platform.random(16))
    return {
      sid: conversationSid(this.#host.identity, nonce),
      draft: { type: 'conversation.create', nonce, ...fields },
    }
  }

  async submit(
    sid: string,
    drafts: readonly OperationDraft[],
    wait: 'verdict' | 'durable',
    index?: number,
  ): Promise<Operation[]> {
    const conversation = this.#conversation(sid)
    await conversation.opened()
    for (const draft of drafts) if (draft.type === 'message.edit') await conversation.recall(draft.sid, index)
    const [draft] = drafts
    if (drafts.length !== 1 || !draft || !isHorizon(draft))
      return this.#commit(conversation, drafts, { wait, index })
    const clamped = this.#clampHorizon(conversation, draft)
    if (!clamped) return []
    return conversation.horizons.submit(clamped, (one) => this.#commit(conversation, [one], { wait }))
  }

  async removeMessage(sid: string, messageSid: string, index?: number): Promise<void> {
    const conversation = this.#conversation(sid)
    await conversation.opened()
    await conversation.recall(messageSid, index)
    const message = conversation.seen.message(messageSid)
    if (!message && !conversation.isSealed(index)) throw new ConfabError(20404, 'There is no such message')
    const draft = { type: 'message.remove' as const, sid: messageSid }
    const withdraw = message?.status === 'pending' ? conversation.pendingOf(messageSid) : []
    await this.#commit(conversation, [draft], { wait: 'verdict', remove: withdraw, withdraw, index })
    for (const id of withdraw) this.#host.verdicts.accepted(id)
  }

  async resend(operationId: string): Promise<void> {
    const entry = this.#host.journal.get(operationId)
    if (entry?.state !== 'held') throw new ConfabError(20404, 'There is no such held operation')
    const conversation = this.#conversation(entry.document)
    await conversation.opened()
    const { id, dateWritten, ...rest } = entry.operation
    // somebody else's words keep their date
    const draft = rest.type === 'message.restore' ? { ...rest, dateWritten } : this.#afresh(rest, entry)
    // a removal may have come between its acceptance and the news of it: then it is there already
    if (draft.type === 'message.post' && conversation.seen.message(messageSidOf(id))) {
      await this.#host.journal.append([], { remove: [id] })
    } else {
      await this.#commit(conversation, [draft as OperationDraft], { wait: 'verdict', remove: [id] })
    }
    this.#host.post({ kind: 'removed', document: entry.document, ids: [id] })
  }

  /** Attachments that were refused are other ones when they are sent again. */
  #afresh(draft: OperationDraft, { error }: JournalEntry): OperationDraft {
    if (draft.type !== 'message.post' || !draft.media || !error || !OF_ATTACHMENTS.has(error.code))
      return draft
    const { platform } = this.#host
    const sid = () => `ME${uuidV7(platform.now(), (bytes) => platform.random(bytes))}`
    return { ...draft, media: draft.media.map((one) => ({ ...one, sid: sid() })) }
  }

  async joinInvited(sid: string, invite: string, expiresAt: number): Promise<ConversationView> {
    const conversation = this.#conversation(sid)
    await conversation.opened()
    if (conversation.view?.status !== 'joined') {
      if (this.#host.link.isPast(expiresAt)) throw new ConfabError(70202)
      this.#host.inviteExpiry.set(sid, expiresAt)
      const values = { [inviteKey(sid)]: expiresAt }
      await this.#commit(conversation, [{ type: 'conversation.join', invite }], { wait: 'verdict', values })
    }
    if (!conversation.view) throw new ConfabError(70201)
    return conversation.view
  }

  async #commit(
    conversation: LocalConversation,
    drafts: readonly OperationDraft[],
    options: CommitOptions,
  ): Promise<Operation[]> {
    const { journal, verdicts, link } = this.#host
    const operations = this.#admit(conversation, drafts, options.index)
    const at = options.index === undefined ? {} : { messageIndex: options.index }
    if (operations.length === 0) return []
    const outdated = conversation.outdatedBy(operations)
    const remove = [...(options.remove ?? []), ...outdated]
    const parts = operations.flatMap(withheldParts)
    conversation.withhold(parts)
    try {
      let entries: Awaited<ReturnType<typeof journal.append>>
      try {
        entries = await journal.append(
          operations.map((operation) => ({
            id: operation.id,
            document: conversation.sid,
            operation,
            state: 'pending',
            ...at,
          })),
          { remove, ...(options.values ? { values: options.values } : {}) },
        )
      } catch (error) {
        conversation.dismiss(operations)
        throw error
      }
      // registered before it is sent: its verdict may come in the same turn
      const verdict =
        options.wait === 'verdict' && link.connected ? verdicts.wait(operations.map(({ id }) => id)) : null
      conversation.appended(entries, [...(options.withdraw ?? []), ...outdated])
      for (const id of outdated) verdicts.accepted(id)
      await verdict
      return operations
    } finally {
      this.#releaseLater(conversation, parts)
    }
  }

  /** What is worth storing, decided in order. */
  #admit(
    conversation: LocalConversation,
    drafts: readonly OperationDraft[],
    index: number | undefined,
  ): Operation[] {
    const { limits, platform } = this.#host
    const operations: Operation[] = []
    if (conversation.waiting + drafts.length > limits.pendingOperations) throw new ConfabError(70107)
    try {
      for (const draft of drafts) {
        const clamped = this.#clampHorizon(conversation, draft)
        if (!clamped) continue
        const operation = operationOf(clamped, limits, platform)
        const decision = conversation.admit(operation, index)
        if (decision.verdict !== 'accepted') throw refusal(decision)
        // A removal is stored even when it changes nothing here: the message may be on its way to the relay.
        const isStored =
          decision.changes.length > 0 ||
          operation.type === 'message.remove' ||
          (operation.type === 'message.edit' && !conversation.seen.message(operation.sid))
        if (isStored) operations.push(operation)
        else conversation.dismiss([operation])
      }
    } catch (error) {
      conversation.dismiss(operations)
      throw error
    }
    return operations
  }

  /** A horizon stands on what the relay has accepted: a provisional index may come to be another message's. */
  #clampHorizon<T extends OperationDraft>(conversation: LocalConversation, draft: T): T | null {
    if (!isHorizon(draft) || draft.index === null) return draft
    const index = Math.min(draft.index, conversation.highestAccepted)
    if (index >= 0 || draft.index < 0) return { ...draft, index }
    return null
  }

  /** In a later task than the one in which the caller hears that its promise has settled. */
  #releaseLater(conversation: LocalConversation, parts: Parameters<LocalConversation['release']>[0]): void {
    if (parts.length > 0) this.#host.platform.macrotask(() => conversation.release(parts))
  }
}

const refusal = ({ code, message }: { code: number; message: string }) =>
  new ConfabError(code as ConstructorParameters<typeof ConfabError>[0], message)

/** Where the journal's values keep when an invite ends by which a conversation was opened. */
export const inviteKey = (conversationSid: string): string => `invite ${conversationSid}`
