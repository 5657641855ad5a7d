/** What people are called: the name they gave themselves, or the one they sign in with until that is known. */
import type { Client, UserUpdatedEventArgs } from '@confab/client'
import { useMaybeClient } from '@confab/react'
import { useCallback, useSyncExternalStore } from 'react'

export type NameOf = (identity: string | null) => string

class NameBook {
  /** Another one whenever a name is another. */
  nameOf: NameOf = this.#reading()
  readonly #client: Client
  readonly #names = new Map<string, string>()
  readonly #watching = new Set<() => void>()

  constructor(client: Client) {
    this.#client = client
    client.on('userUpdated', ({ user, updateReasons }: UserUpdatedEventArgs) => {
      if (updateReasons.includes('friendlyName') && this.#names.has(user.identity)) {
        this.#set(user.identity, user.friendlyName)
      }
    })
  }

  readonly watch = (changed: () => void): (() => void) => {
    this.#watching.add(changed)
    return () => this.#watching.delete(changed)
  }

  #reading(): NameOf {
    return (identity) => (identity === null ? '' : (this.#names.get(identity) ?? this.#ask(identity)))
  }

  #ask(identity: string): string {
    const short = identity.replace(/^whatsapp:/, '')
    this.#names.set(identity, short)
    this.#client.getUser(identity).then(
      ({ friendlyName }) => this.#set(identity, friendlyName),
      () => {},
    )
    return short
  }

  #set(identity: string, friendlyName: string | null): void {
    const name = friendlyName || identity.replace(/^whatsapp:/, '')
    if (name === this.#names.get(identity)) return
    this.#names.set(identity, name)
    this.nameOf = this.#reading()
    for (const changed of this.#watching) changed()
  }
}

const books = new WeakMap<Client, NameBook>()

function bookOf(client: Client): NameBook {
  const book = books.get(client) ?? new NameBook(client)
  books.set(client, book)
  return book
}

const plain: NameOf = (identity) => identity ?? ''

/** Gives names by identity, and again when one of them changes. */
export function useNames(): NameOf {
  const client = useMaybeClient()
  const book = client && bookOf(client)
  const watch = useCallback((changed: () => void) => book?.watch(changed) ?? (() => {}), [book])
  return useSyncExternalStore(watch, () => book?.nameOf ?? plain)
}
