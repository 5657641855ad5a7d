import type { TransportEvents } from '../transport.ts'
import type { SessionEvent } from './session.ts'

/** Calls the engine's listener of an event. */
export function dispatch(events: TransportEvents, event: Exclude<SessionEvent, { type: 'page' }>): void {
  switch (event.type) {
    case 'connected':
      events.connected(event.welcome)
      break
    case 'clock':
      events.clock(event.now)
      break
    case 'tokenExpiring':
      events.tokenExpiring(event.expiresAt)
      break
    case 'current':
      events.current(event.document)
      break
    case 'absent':
      events.absent(event.document)
      break
    case 'received':
      events.received(event.document, event.news)
      break
    case 'outcomes':
      events.outcomes(event.document, event.outcomes)
      break
    case 'requested':
      events.requested(event.document, event.stateVector)
      break
    case 'awareness':
      events.awareness(event.document, event.update)
      break
    case 'nack':
      events.nack(event.document, event.error)
      break
  }
}
