import { Chat } from './chat/chat.tsx'
import { Demo } from './demo.tsx'
import { SessionProvider, useSession } from './session.tsx'
import { SignIn } from './sign-in.tsx'

/** What the address asks for: the demo, or the chat of whoever has signed in. */
export function App() {
  const { pathname, searchParams } = new URL(location.href)
  if (pathname === '/demo') return <Demo />
  return (
    <SessionProvider demoIdentity={searchParams.get('as')}>
      <Signed />
    </SessionProvider>
  )
}

function Signed() {
  const { identity } = useSession()
  return identity === null ? <SignIn /> : <Chat />
}
