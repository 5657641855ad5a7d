/** A part of a conversation's messages that moves both ways, holds a bounded number of them, and follows what happens. */
import type { Conversation, Message, Paginator } from '@confab/client'
import { listen, Source } from './source.ts'

export interface Range {
  readonly from: number
  readonly to: number
}

export interface MessagesState {
  /** Ascending by index. A message keeps its sid, pending or accepted: the key of its row. */
  messages: readonly Message[]
  /** The newest ones are being read for the first time. */
  isLoading: boolean
  hasOlder: boolean
  hasNewer: boolean
  /** Indices next to what is shown that aren't on this device and can't be fetched now; null when there are none. */
  absent: Range | null
  /** Why the last reading failed. */
  error: Error | null
}

export const NOTHING: MessagesState = {
  messages: [],
  isLoading: true,
  hasOlder: false,
  hasNewer: false,
  absent: null,
  error: null,
}

/** Pages that are kept at most: what is further away is let go, and read again when it is wanted. */
const PAGES = 10

export class MessageWindow extends Source<MessagesState> {
  readonly #conversation: Conversation
  readonly #pageSize: number
  #isRead = false
  #reading: Promise<void> | null = null
  #isReadingAgain = false

  constructor(conversation: Conversation, pageSize: number) {
    super(NOTHING)
    this.#conversation = conversation
    this.#pageSize = pageSize
  }

  protected attach(): () => void {
    const detach = listen(this.#conversation, {
      messageAdded: (message: Message) => this.#added(message),
      messageRemoved: (message: Message) => this.#removed(message),
    })
    // a jump that was asked for before anybody listened says what is to be shown
    if (!this.#isRead && !this.#reading) void this.jumpToNewest()
    return () => {
      // nobody tells what happens meanwhile
      this.#isRead = false
      detach()
    }
  }

  readonly loadOlder = (): Promise<void> =>
    this.#alone(async () => {
      const { messages } = this.value
      const first = messages[0]
      if (!first) return
      const page = await this.#conversation.getMessages(this.#pageSize, first.index - 1, 'backwards')
      const kept = [...page.items, ...this.value.messages]
      const most = PAGES * this.#pageSize
      this.#show(kept.slice(0, most), {
        hasOlder: page.hasPrevPage,
        hasNewer: this.value.hasNewer || kept.length > most,
        absent: absentOf(page),
      })
    })

  readonly loadNewer = (): Promise<void> =>
    this.#alone(async () => {
      const last = this.value.messages.at(-1)
      if (!last || !this.value.hasNewer) return
      const page = await this.#conversation.getMessages(this.#pageSize, last.index + 1, 'forward')
      const kept = [...this.value.messages, ...page.items]
      const most = PAGES * this.#pageSize
      this.#show(kept.slice(-most), {
        hasOlder: this.value.hasOlder || kept.length > most,
        hasNewer: page.hasNextPage,
        absent: absentOf(page),
      })
    })

  readonly jumpToNewest = (): Promise<void> =>
    this.#alone(async () => {
      const page = await this.#conversation.getMessages(this.#pageSize)
      this.#isRead = true
      this.#show(page.items, { hasOlder: page.hasPrevPage, hasNewer: false, absent: absentOf(page) })
    })

  readonly jumpTo = (index: number): Promise<void> =>
    this.#alone(async () => {
      const half = Math.max(1, Math.ceil(this.#pageSize / 2))
      const [older, newer] = await Promise.all([
        this.#conversation.getMessages(half, index, 'backwards'),
        this.#conversation.getMessages(half, index + 1, 'forward'),
      ])
      this.#isRead = true
      this.#show([...older.items, ...newer.items], {
        hasOlder: older.hasPrevPage,
        hasNewer: newer.hasNextPage,
        absent: absentOf(older) ?? absentOf(newer),
      })
    })

  /** One reading at a time: each begins with what the one before has shown. */
  #alone(read: () => Promise<void>): Promise<void> {
    const before = this.#reading ?? Promise.resolve()
    const reading = before
      .then(read)
      .catch((error: unknown) => {
        this.set({
          ...this.value,
          isLoading: false,
          error: error instanceof Error ? error : new Error(String(error)),
        })
      })
      .finally(() => {
        if (this.#reading === reading) this.#reading = null
      })
    this.#reading = reading
    return reading
  }

  #show(messages: readonly Message[], rest: Pick<MessagesState, 'hasOlder' | 'hasNewer' | 'absent'>): void {
    this.set({ messages: unique(messages), isLoading: false, error: null, ...rest })
  }

  #added(message: Message): void {
    const { messages, hasNewer, isLoading, absent } = this.value
    // what is read for the first time will have it
    if (isLoading) return
    if (absent && message.index >= absent.from && message.index <= absent.to) {
      this.#readAgain()
      return
    }
    if (hasNewer) {
      const last = messages.at(-1)
      if (last && message.index > last.index) return
    }
    const others = messages.filter(({ sid }) => sid !== message.sid)
    let at = others.length
    while (at > 0 && (others[at - 1] as Message).index > message.index) at--
    // above what is shown: it is there when somebody scrolls up
    if (at === 0 && others.length > 0 && this.value.hasOlder) return
    const next = [...others.slice(0, at), message, ...others.slice(at)]
    const most = PAGES * this.#pageSize
    const hasOlder = this.value.hasOlder || next.length > most
    this.set({ ...this.value, messages: next.slice(-most), hasOlder })
  }

  /** What was elsewhere has come: once for all of it. */
  #readAgain(): void {
    if (this.#isReadingAgain) return
    this.#isReadingAgain = true
    const { messages, hasNewer } = this.value
    const [first] = messages
    void (hasNewer && first ? this.jumpTo(first.index) : this.jumpToNewest()).finally(() => {
      this.#isReadingAgain = false
    })
  }

  #removed(message: Message): void {
    const messages = this.value.messages.filter((one) => one !== message && !isAt(one, message))
    if (messages.length !== this.value.messages.length) this.set({ ...this.value, messages })
  }
}

/** The same message at the same index: what moved is another row until it is told where it went. */
const isAt = (a: Message, b: Message): boolean => a.sid === b.sid && a.index === b.index

/** A message that moved while it was read is here once, where it is now. */
function unique(messages: readonly Message[]): Message[] {
  const bySid = new Map(messages.map((message) => [message.sid, message]))
  return [...bySid.values()].sort((a, b) => a.index - b.index)
}

const absentOf = (page: Paginator<Message>): Range | null => page.absentRange ?? null
