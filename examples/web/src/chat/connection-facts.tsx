import type { Diagnostics } from '@confab/client'
import { fullText, timeText } from '../lib/format.ts'

const STATES: { [state: string]: string } = {
  connected: 'connected',
  connecting: 'connecting',
  disconnected: 'not connected',
  disconnecting: 'ending',
  denied: 'not let in',
  unknown: 'not tried yet',
}
const stateText = (state: string): string => STATES[state] ?? state

/** Milliseconds between two clocks that nobody need know of. */
const SKEW = 2000

export function ConnectionFacts({ diagnostics }: { diagnostics: Diagnostics }) {
  const { connection, token, relay } = diagnostics
  const { lastFailure, nextAttempt, clockSkew } = connection
  return (
    <dl className="facts">
      <dt>State</dt>
      <dd>
        {stateText(connection.state)}
        {connection.since && `, since ${timeText(connection.since)}`}
      </dd>
      <dt>Relay</dt>
      <dd className="anywhere">{relay}</dd>
      {nextAttempt && (
        <>
          <dt>Next attempt</dt>
          <dd>{timeText(nextAttempt)}</dd>
        </>
      )}
      {lastFailure && (
        <>
          <dt>Last failure</dt>
          <dd>
            {timeText(lastFailure.at)}: {lastFailure.reason || 'the connection broke'} (
            {lastFailure.closeCode})
          </dd>
        </>
      )}
      <dt>Token</dt>
      <dd>
        {token.expired ? 'expired' : token.expiresAt ? `until ${fullText(token.expiresAt)}` : 'none yet'}
      </dd>
      {clockSkew !== null && Math.abs(clockSkew) > SKEW && (
        <>
          <dt>Clock</dt>
          <dd>
            this device’s is {Math.round(Math.abs(clockSkew) / 1000)} s{' '}
            {clockSkew > 0 ? 'behind' : 'ahead of'} the relay’s
          </dd>
        </>
      )}
    </dl>
  )
}

/** The newest changes of the connection, the last one first. */
export function ConnectionHistory({ diagnostics }: { diagnostics: Diagnostics }) {
  const history = diagnostics.connection.history.slice(-10).reverse()
  if (history.length === 0) return null
  return (
    <details>
      <summary>How the connection came and went</summary>
      <ol className="connection-history">
        {history.map(({ at, state, closeCode, reason }, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two changes may fall into one millisecond
          <li key={`${at.getTime()}-${i}`}>
            <time>{timeText(at)}</time> {stateText(state)}
            {closeCode !== undefined && ` (${closeCode}${reason ? ` ${reason}` : ''})`}
          </li>
        ))}
      </ol>
    </details>
  )
}
