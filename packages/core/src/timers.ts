/** Timers of a conversation: ISO-8601 durations, as Twilio takes them. */
import type { ErrorCode } from './error.ts'
import type { ConversationStateRecord, TimersRecord } from './records.ts'

/** Twilio's shortest timers, in milliseconds. */
const SHORTEST = { inactive: 60_000, closed: 600_000 } as const
// without years and months, which have no fixed length
const DURATION =
  /^P(?=.)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10})S)?)?$/
const UNITS = [7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000] as const

/** Milliseconds of an ISO-8601 duration of weeks, days, hours, minutes and seconds; null when it is none. */
export function durationMs(text: string): number | null {
  const match = DURATION.exec(text)
  if (!match) return null
  return UNITS.reduce((sum, unit, i) => sum + unit * Number(match[i + 1] ?? 0), 0)
}

/** What is wrong with the timers (50375: no duration; 50376: too short), or null. */
export function timersProblem(timers: TimersRecord): { code: ErrorCode; message: string } | null {
  for (const name of ['inactive', 'closed'] as const) {
    const text = timers[name]
    if (text === undefined) continue
    const duration = durationMs(text)
    if (duration === null) return { code: 50375, message: `The timer ${name} is no ISO-8601 duration` }
    if (duration < SHORTEST[name]) {
      return { code: 50376, message: `The timer ${name} is at least ${SHORTEST[name] / 60_000} minutes` }
    }
  }
  return null
}

/** The change of state that a conversation's timers bring next. */
export interface StateTransition {
  to: 'inactive' | 'closed'
  /** When it is due, milliseconds since the epoch. */
  at: number
}

/**
 * What happens if nothing else does: the sooner of the two timers, counted from the last message, the last change of
 * state, or the last change of the timers. Null when no timer runs.
 * @param since milliseconds since the epoch
 */
export function nextTransition(
  { state, timers }: { state?: ConversationStateRecord; timers?: TimersRecord },
  since: number,
): StateTransition | null {
  const current = state?.current ?? 'active'
  if (!timers || current === 'closed') return null
  const inactive = current === 'active' ? dueAt(timers.inactive, since) : null
  const closed = dueAt(timers.closed, since)
  // closing is final: what would have come later is not missed
  if (closed !== null && (inactive === null || closed <= inactive)) return { to: 'closed', at: closed }
  return inactive === null ? null : { to: 'inactive', at: inactive }
}

function dueAt(timer: string | undefined, since: number): number | null {
  const duration = timer === undefined ? null : durationMs(timer)
  return duration === null ? null : since + duration
}
