import type { Client, Diagnostics } from '@confab/client'
import { useMaybeClient } from './provider.ts'
import { cached, listen, Source, useSource } from './source.ts'

/** Milliseconds between two looks while nothing tells of a change. */
const EVERY = 5000

class DiagnosticsSource extends Source<Diagnostics | null> {
  readonly #client: Client

  constructor(client: Client) {
    super(null)
    this.#client = client
  }

  protected attach(): () => void {
    let ended = false
    const read = async () => {
      try {
        const diagnostics = await this.#client.diagnostics()
        if (!ended) this.set(diagnostics)
      } catch {
        // a client that was shut down says no more than it did
      }
    }
    void read()
    const timer = setInterval(() => void read(), EVERY)
    const soon = () => void read()
    const stop = listen(this.#client, {
      connectionStateChanged: soon,
      operationsChanged: soon,
      initialized: soon,
    })
    return () => {
      ended = true
      clearInterval(timer)
      stop()
    }
  }
}

const diagnosticsOf = cached((client: Client) => new DiagnosticsSource(client))

/** Why something isn't sent (`client.diagnostics()`), kept up to date while it is rendered; null until it is known. */
export function useDiagnostics(): Diagnostics | null {
  const client = useMaybeClient()
  return useSource(client && diagnosticsOf(client), null)
}
