/** Two people in one window. Each half is an app of its own: its own store, its own connection, its own switch. */
import { Logo } from './ui/logo.tsx'

export function Demo() {
  return (
    <main className="demo">
      <header className="demo-head">
        <h1>
          <Logo />
        </h1>
        <ol>
          <li>Begin a conversation at the left.</li>
          <li>
            Switch one of the two to <b>offline</b>, and write on both sides.
          </li>
          <li>Switch it back: both end with the same.</li>
        </ol>
        <a href="/">Sign in by yourself</a>
      </header>
      <div className="demo-halves">
        {['alice', 'bob'].map((identity) => (
          <iframe
            key={identity}
            title={`Confab as ${identity}`}
            src={`/?as=${identity}`}
            allow="clipboard-write"
          />
        ))}
      </div>
    </main>
  )
}
