/** Two people in one window. Each half is an app of its own: its own store, its own connection, its own switch. */
import { Logo } from './ui/logo.tsx'

export function Demo() {
  return (
    <main className="demo">
      <header className="demo-head">
        <Logo />
        <p>
          Switch one of them to <b>offline</b>, write on both sides, and switch back: both end with the same.
        </p>
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
