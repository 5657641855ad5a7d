/** Who has signed in, and the client that goes with it. */
import { Client } from '@confab/client'
import { ConfabProvider } from '@confab/react'
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'

export interface SignedIn {
  identity: string
  /** Where tokens come from; null: the relay's demo tokens. `{identity}` in it is replaced. */
  tokenUrl: string | null
}

interface Session {
  identity: string | null
  /** True in one half of the demo: it signs in by itself, and nothing is kept of that. */
  isDemo: boolean
  /** Why the store on this device could not be opened. */
  failure: string | null
  signIn(who: SignedIn): void
  signOut(): void
}

const SessionContext = createContext<Session | null>(null)
const KEY = 'confab.session'

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('No session')
  return session
}

function remembered(): SignedIn | null {
  try {
    const kept = localStorage.getItem(KEY)
    return kept === null ? null : (JSON.parse(kept) as SignedIn)
  } catch {
    return null
  }
}

/** @throws when there is no token to be had; the SDK tries again */
export async function fetchToken({ identity, tokenUrl }: SignedIn): Promise<string> {
  const name = encodeURIComponent(identity)
  const url = tokenUrl?.replaceAll('{identity}', name) ?? `/demo/token?identity=${name}`
  const response = await fetch(url)
  const text = await response.text()
  if (!response.ok) throw new Error(`No token: the server answered ${response.status}`)
  try {
    return (JSON.parse(text) as { token: string }).token
  } catch {
    // a server may answer with the token and nothing around it
    return text.trim()
  }
}

export function SessionProvider(props: { demoIdentity: string | null; children: ReactNode }) {
  const { demoIdentity } = props
  const [who, setWho] = useState<SignedIn | null>(() =>
    demoIdentity === null ? remembered() : { identity: demoIdentity, tokenUrl: null },
  )
  const [client, setClient] = useState<Client | null>(null)
  const [failure, setFailure] = useState<string | null>(null)

  useEffect(() => {
    if (!who) return
    const made = new Client(() => fetchToken(who), {
      url: location.origin,
      identity: who.identity,
      logLevel: 'error',
    })
    const failed = ({ error }: { error?: { message: string } }) => setFailure(error?.message ?? 'unknown')
    made.on('initFailed', failed)
    setClient(made)
    setFailure(null)
    return () => {
      made.off('initFailed', failed)
      setClient(null)
      void made.shutdown()
    }
  }, [who])

  const session = useMemo<Session>(
    () => ({
      identity: who?.identity ?? null,
      isDemo: demoIdentity !== null,
      failure,
      signIn(next) {
        localStorage.setItem(KEY, JSON.stringify(next))
        setWho(next)
      },
      signOut() {
        localStorage.removeItem(KEY)
        setWho(null)
      },
    }),
    [who, demoIdentity, failure],
  )
  return (
    <SessionContext value={session}>
      <ConfabProvider client={client}>{props.children}</ConfabProvider>
    </SessionContext>
  )
}
