import type { Client, Conversation, HeldOperation, PendingOperation } from '@confab/client'
import { useMemo } from 'react'
import { useMaybeClient } from './provider.ts'
import { cached, listen, Source, useSource } from './source.ts'

const NONE: readonly never[] = []

class OperationsSource<Operation> extends Source<readonly Operation[]> {
  readonly #client: Client
  readonly #get: (client: Client) => readonly Operation[]

  constructor(client: Client, get: (client: Client) => readonly Operation[]) {
    super(NONE)
    this.#client = client
    this.#get = get
  }

  protected attach(): () => void {
    const read = () => {
      const found = this.#get(this.#client)
      if (found.length > 0 || this.value.length > 0) this.set(found)
    }
    read()
    return listen(this.#client, { operationsChanged: read, initialized: read })
  }
}

const pendingOf = cached(
  (client: Client) => new OperationsSource(client, (one) => one.getPendingOperations()),
)
const heldOf = cached((client: Client) => new OperationsSource(client, (one) => one.getHeldOperations()))

/** What was done on this device and the relay has not decided yet, oldest first; of one conversation, if given. */
export function usePendingOperations(conversation?: Conversation | null): readonly PendingOperation[] {
  const client = useMaybeClient()
  const all = useSource<readonly PendingOperation[]>(client && pendingOf(client), NONE)
  const sid = conversation?.sid
  return useMemo(
    () => (sid === undefined ? all : all.filter((one) => one.conversationSid === sid)),
    [all, sid],
  )
}

/** What was refused; each can be resent or discarded, and is kept until then. */
export function useHeldOperations(): readonly HeldOperation[] {
  const client = useMaybeClient()
  return useSource<readonly HeldOperation[]>(client && heldOf(client), NONE)
}
