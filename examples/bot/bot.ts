/**
 * Answers whoever mentions it, once: what was asked while the bot was away, too. Its read horizon says how far it has
 * come, and each answer says what it answers, so that neither a crash nor a second bot on the same store repeats one.
 */
import type { Client, Conversation, JSONValue, Message } from '@confab/client'
import { answerTo, questionIn } from './answers.ts'

/** Bytes of a body that every relay takes. */
const MOST = 2000

export class Bot {
  readonly #client: Client
  readonly #say: (line: string) => void
  /** The work in each conversation, one message after the other. */
  readonly #working = new Map<string, Promise<void>>()

  constructor(client: Client, say: (line: string) => void) {
    this.#client = client
    this.#say = say
    client.on('conversationJoined', (conversation) => this.#attend(conversation))
    client.on('messageAdded', ({ conversation }) => this.#attend(conversation))
  }

  /** Resolves when everything that was asked so far is answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#working.values())
  }

  #attend(conversation: Conversation): void {
    const before = this.#working.get(conversation.sid) ?? Promise.resolve()
    const work = before
      .then(() => this.#catchUp(conversation))
      .catch((error: Error) => this.#say(`${conversation.sid}: ${error.message}`))
    this.#working.set(conversation.sid, work)
  }

  async #catchUp(conversation: Conversation): Promise<void> {
    const unread = await this.#unread(conversation)
    const own = this.#client.user.identity
    const answered = new Set(unread.map(({ attributes }) => answeredBy(attributes)))
    for (const message of unread) {
      const question = message.author === own ? null : questionIn(message.body ?? '', own)
      if (question !== null && !answered.has(message.sid)) {
        const answer = (await answerTo(question, message, this.#client)).slice(0, MOST)
        await conversation.sendMessage(answer, { answers: message.sid })
        this.#say(`${message.author}: ${message.body}\n  → ${answer}`)
      }
      await conversation.advanceLastReadMessageIndex(message.index)
    }
  }

  /** What is above the read horizon, oldest first; nothing once the bot was removed. */
  async #unread(conversation: Conversation): Promise<Message[]> {
    if (conversation.status !== 'joined') return []
    let page = await conversation.getMessages(100, (conversation.lastReadMessageIndex ?? -1) + 1, 'forward')
    const unread = [...page.items]
    while (page.hasNextPage) {
      page = await page.nextPage()
      unread.push(...page.items)
    }
    return unread
  }
}

const answeredBy = (attributes: JSONValue): JSONValue | undefined =>
  typeof attributes === 'object' && attributes !== null && !Array.isArray(attributes)
    ? attributes.answers
    : undefined
