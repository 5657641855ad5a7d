/** Timers of a conversation: ISO-8601 durations, as Twilio takes them. */
import type { ErrorCode } from './error.ts'
import type { TimersRecord } from './records.ts'

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
