/** Dates and names as people say them, in their own language. */
const DAY = 24 * 60 * 60 * 1000

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' })
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })

const startOf = (day: Date): number => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime()

/** Days between two moments, by the calendar. */
export const daysBetween = (a: Date, b: Date): number => Math.round((startOf(b) - startOf(a)) / DAY)

export const timeText = (at: Date): string => time.format(at)
export const fullText = (at: Date): string => full.format(at)

/** `today`, `yesterday`, a weekday within the week, a date before that. */
export function dayText(at: Date, now = new Date()): string {
  const days = daysBetween(at, now)
  if (days < 2) return relative.format(-days, 'day')
  return days < 7 ? weekday.format(at) : date.format(at)
}

/** For a list: the time today, the weekday within the week, a short date before that. */
export function briefText(at: Date, now = new Date()): string {
  const days = daysBetween(at, now)
  if (days === 0) return timeText(at)
  return days < 7 ? weekday.format(at).slice(0, 3) : short.format(at)
}

/** When something was written, where that is another day, or hours before it was accepted; null otherwise. */
export function writtenText(written: Date, accepted: Date | null): string | null {
  if (!accepted || accepted.getTime() - written.getTime() < 60 * 60 * 1000) return null
  const isOtherDay = daysBetween(written, accepted) > 0
  return isOtherDay
    ? `written ${dayText(written)}, delivered ${dayText(accepted)}`
    : `written ${timeText(written)}, delivered ${timeText(accepted)}`
}

export const listText = (names: readonly string[]): string => new Intl.ListFormat(undefined).format(names)

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** Bytes as people say them: 2.4 MB. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3))
  const unit = UNITS[power] ?? 'byte'
  const amount = bytes / 1000 ** power
  const options = { style: 'unit', unit, maximumFractionDigits: amount < 10 ? 1 : 0 } as const
  return new Intl.NumberFormat(undefined, options).format(amount)
}
