import type { Client, Conversation, Participant, User } from '@confab/client'
import { useEffect, useState } from 'react'
import { useMaybeClient } from './provider.ts'
import { cached, listen, Source, useSource } from './source.ts'

const NOBODY: readonly Participant[] = []

class ParticipantsSource extends Source<readonly Participant[]> {
  readonly #conversation: Conversation
  #asked = 0

  constructor(conversation: Conversation) {
    super(NOBODY)
    this.#conversation = conversation
  }

  protected attach(): () => void {
    const read = () => void this.#read()
    read()
    return listen(this.#conversation, {
      participantJoined: read,
      participantLeft: read,
      participantUpdated: read,
      updated: ({ updateReasons }: { updateReasons: string[] }) => {
        if (updateReasons.includes('status')) read()
      },
    })
  }

  async #read(): Promise<void> {
    const asked = ++this.#asked
    const participants = await this.#conversation.getParticipants().catch(() => NOBODY)
    if (asked === this.#asked) this.set(participants)
  }
}

const participantsOf = cached((conversation: Conversation) => new ParticipantsSource(conversation))

/** Everybody who takes part, again whenever somebody comes, goes or changes. */
export function useParticipants(conversation: Conversation | null): readonly Participant[] {
  return useSource(conversation && participantsOf(conversation), NOBODY)
}

class TypingSource extends Source<readonly Participant[]> {
  readonly #conversation: Conversation

  constructor(conversation: Conversation) {
    super(NOBODY)
    this.#conversation = conversation
  }

  protected attach(): () => void {
    const end = (participant: Participant) =>
      this.set(this.value.filter(({ sid }) => sid !== participant.sid))
    const detach = listen(this.#conversation, {
      typingStarted: (participant: Participant) => {
        if (!this.value.some(({ sid }) => sid === participant.sid)) this.set([...this.value, participant])
      },
      typingEnded: end,
      participantLeft: end,
    })
    return () => {
      // whoever is typing when somebody looks again says so again
      this.set(NOBODY)
      detach()
    }
  }
}

const typingOf = cached((conversation: Conversation) => new TypingSource(conversation))

/** Who is typing, this person on other devices left out. */
export function useTyping(conversation: Conversation | null): readonly Participant[] {
  return useSource(conversation && typingOf(conversation), NOBODY)
}

class UnreadSource extends Source<number | null> {
  readonly #conversation: Conversation
  #asked = 0

  constructor(conversation: Conversation) {
    super(null)
    this.#conversation = conversation
  }

  protected attach(): () => void {
    const read = () => void this.#read()
    read()
    return listen(this.#conversation, { messageAdded: read, messageRemoved: read, updated: read })
  }

  async #read(): Promise<void> {
    const asked = ++this.#asked
    const count = await this.#conversation.getUnreadMessagesCount().catch(() => null)
    if (asked === this.#asked) this.set(count)
  }
}

const unreadOf = cached((conversation: Conversation) => new UnreadSource(conversation))

/** How many messages are above the read horizon; null without one. */
export function useUnread(conversation: Conversation | null): number | null {
  return useSource(conversation && unreadOf(conversation), null)
}

class UserSource extends Source<number> {
  readonly #user: User

  constructor(user: User) {
    super(0)
    this.#user = user
  }

  protected attach(): () => void {
    return listen(this.#user, { updated: () => this.set(this.value + 1) })
  }
}

const changesOf = cached((user: User) => new UserSource(user))

/** What somebody says of themselves, and whether they are connected; null until it is known. */
export function useUser(identity: string | null): User | null {
  const client: Client | null = useMaybeClient()
  const [found, setFound] = useState<{ identity: string; user: User } | null>(null)
  useEffect(() => {
    if (!client || identity === null) return
    let isWanted = true
    client.getUser(identity).then(
      (user) => {
        if (isWanted) setFound({ identity, user })
      },
      () => {},
    )
    return () => {
      isWanted = false
    }
  }, [client, identity])
  const user = found?.identity === identity ? found.user : null
  useSource(user && changesOf(user), 0)
  return user
}
