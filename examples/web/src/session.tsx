/** Who has signed in, and the client that goes with it. */
import { Client, indexedDB, memory } from '@confab/client'
import { ConfabProvider } from '@confab/react'
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react'
import { isOfStorage, problemText } from './lib/problem.ts'

export interface SignedIn {
  identity: string
  /** Where tokens come from; null: the relay's demo tokens. `{identity}` in it is replaced. */
  tokenUrl: string | null
}

/** What the client runs on; another object is another client. */
interface Run {
  who: SignedIn
  /** False: somebody chose to go on without this device's storage. */
  isKept: boolean
}

interface Session {
  identity: string | null
  /** True in one half of the demo: it signs in by itself, and nothing is kept of that. */
  isDemo: boolean
  isKept: boolean
  /** Why this device's storage can't be used; null while it can. */
  failure: string | null
  signIn(who: SignedIn): void
  signOut(): void
  /** Begins again with a new client, with this device's storage or without. */
  restart(isKept: boolean): void
  /** What went wrong, as a sentence; a failure of the storage is shown to all of the app. */
  report(error: unknown): string
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

function remember(who: SignedIn | null): void {
  try {
    if (who) localStorage.setItem(KEY, JSON.stringify(who))
    else localStorage.removeItem(KEY)
  } catch {
    // nothing may be kept here: it is asked for again the next time
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

function runOf(who: SignedIn | null): Run | null {
  return who && { who, isKept: true }
}

export function SessionProvider(props: { demoIdentity: string | null; children: ReactNode }) {
  const { demoIdentity } = props
  const [run, setRun] = useState<Run | null>(() =>
    runOf(demoIdentity === null ? remembered() : { identity: demoIdentity, tokenUrl: null }),
  )
  const [client, setClient] = useState<Client | null>(null)
  const [failure, setFailure] = useState<string | null>(null)

  useEffect(() => {
    if (!run) return
    const made = new Client(() => fetchToken(run.who), {
      url: location.origin,
      identity: run.who.identity,
      storage: run.isKept ? indexedDB() : memory(),
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
  }, [run])

  const report = useCallback((error: unknown) => {
    const text = problemText(error)
    if (isOfStorage(error)) setFailure(text)
    return text
  }, [])
  const session = useMemo<Session>(
    () => ({
      identity: run?.who.identity ?? null,
      isDemo: demoIdentity !== null,
      isKept: run?.isKept ?? true,
      failure,
      signIn(who) {
        remember(who)
        setRun(runOf(who))
      },
      signOut() {
        remember(null)
        setRun(null)
      },
      restart: (isKept) => setRun((before) => before && { ...before, isKept }),
      report,
    }),
    [run, demoIdentity, failure, report],
  )
  return (
    <SessionContext value={session}>
      <ConfabProvider client={client}>{props.children}</ConfabProvider>
    </SessionContext>
  )
}
