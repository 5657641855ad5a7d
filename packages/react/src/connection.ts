import type { Client, ConnectionError, ConnectionState } from '@confab/client'
import { useMaybeClient } from './provider.ts'
import { cached, listen, Source, useSource } from './source.ts'

export interface Connection {
  /** As the SDK says it; `unknown` while there is no client. */
  state: ConnectionState
  isConnected: boolean
  /** Why there is no connection, as far as it was said; null while there is one. */
  lastError: ConnectionError | null
}

const UNKNOWN: Connection = { state: 'unknown', isConnected: false, lastError: null }

class ConnectionSource extends Source<Connection> {
  readonly #client: Client

  constructor(client: Client) {
    super(of(client.connectionState, null))
    this.#client = client
  }

  protected attach(): () => void {
    const tell = (lastError: ConnectionError | null) => {
      const { connectionState: state } = this.#client
      const before = this.value
      const error = state === 'connected' ? null : lastError
      if (state !== before.state || error !== before.lastError) this.set(of(state, error))
    }
    tell(this.value.lastError)
    return listen(this.#client, {
      connectionStateChanged: () => tell(this.value.lastError),
      connectionError: (error: ConnectionError) => tell(error),
    })
  }
}

const of = (state: ConnectionState, lastError: ConnectionError | null): Connection => ({
  state,
  isConnected: state === 'connected',
  lastError,
})

const sourceOf = cached((client: Client) => new ConnectionSource(client))

/** Whether the client is connected, and if not, why. Everything else works either way. */
export function useConnection(): Connection {
  const client = useMaybeClient()
  return useSource(client && sourceOf(client), UNKNOWN)
}
