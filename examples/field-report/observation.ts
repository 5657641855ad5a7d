/** What a report is made of. An observation is a message: its body for people, its attributes for this form. */
import type { JSONValue, Message } from '@confab/client'

export interface Observation {
  place: string
  species: string
  count: number
  note: string
}

/** As a message says it, to whom doesn't know this form. */
export const sentenceOf = ({ place, species, count, note }: Observation): string =>
  `${count} × ${species} at ${place}${note && `: ${note}`}`

/** What a form has; throws what is to be put right. */
export function observationFrom(fields: FormData): Observation {
  const text = (name: string) => String(fields.get(name) ?? '').trim()
  const count = Number(text('count'))
  if (!text('place') || !text('species')) throw new Error('Where, and what, is needed')
  if (!Number.isSafeInteger(count) || count < 1) throw new Error('How many is a whole number from 1')
  return { place: text('place'), species: text('species'), count, note: text('note') }
}

/** Null when the message is none of this form's: anybody in the conversation may post anything. */
export function observationOf({ attributes }: Message): Observation | null {
  const { place, species, count, note = '' } = fieldsOf(attributes)
  if (typeof place !== 'string' || typeof species !== 'string' || typeof note !== 'string') return null
  return typeof count === 'number' && Number.isSafeInteger(count) ? { place, species, count, note } : null
}

const fieldsOf = (value: JSONValue): { [key: string]: JSONValue | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}

/** How many of each species, by name. */
export function totalsOf(observations: readonly Observation[]): Map<string, number> {
  const totals = new Map<string, number>()
  for (const { species, count } of observations) totals.set(species, (totals.get(species) ?? 0) + count)
  return new Map([...totals].sort(([a], [b]) => a.localeCompare(b)))
}
