/** Fields of forms and queries: everything arrives as text, and leaves as what it is, or is refused with its name. */
import { ConfabError, isPlainJson, type Json } from '@confab/core'
import * as z from 'zod'
import type { Parameters } from './route.ts'

/** Nesting of attributes, at most; the operation has a closer bound of its own. */
const DEPTH = 64

export const text = z.string()
export const boolean = z
  .enum(['true', 'false', 'True', 'False'], { error: 'must be true or false' })
  .transform((value) => value.toLowerCase() === 'true')
export const integer = z
  .string()
  .regex(/^-?\d{1,15}$/, 'must be a whole number')
  .transform(Number)
/** A day or a moment, ISO 8601; milliseconds since the epoch. */
export const date = z.string().transform((value, context) => {
  const time = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN
  if (!Number.isNaN(time)) return time
  context.addIssue({ code: 'custom', message: 'must be a date such as 2026-01-31 or 2026-01-31T09:00:00Z' })
  return z.NEVER
})
/** JSON in a string. */
export const attributes = z.string().transform((value, context): Json => {
  try {
    const parsed: unknown = JSON.parse(value)
    if (isPlainJson(parsed, DEPTH)) return parsed
  } catch {
    // said below
  }
  context.addIssue({ code: 'custom', message: 'must be valid JSON' })
  return z.NEVER
})
/** A field that may be given several times. */
export const list = <Item extends z.ZodType>(item: Item) => z.array(item)

/** No fields. */
export const none = z.object({})

/** The fields that every list has. */
export const paging = z.object({
  PageSize: integer.optional(),
  Page: integer.optional(),
  PageToken: text.max(512).optional(),
})

/** Fields that a form or query may have, in all. */
const MOST = 200

/**
 * Reads a form or a query.
 * @throws ConfabError 20001 that names the field and says what it must be
 */
export function readParameters<Fields extends Parameters>(
  schema: Fields,
  given: URLSearchParams,
): z.infer<Fields> {
  if (given.size > MOST) throw new ConfabError(20001, `At most ${MOST} fields are taken`)
  const fields: { [name: string]: string | string[] } = {}
  for (const name of new Set(given.keys())) {
    const kind = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined
    if (!kind) throw new ConfabError(20001, `Unknown field ${name.slice(0, 64).toWellFormed()}`)
    const values = given.getAll(name)
    const isList = isListed(kind as z.ZodType)
    if (!isList && values.length > 1) throw new ConfabError(20001, `${name} is given ${values.length} times`)
    fields[name] = isList ? values : (values[0] as string)
  }
  const read = schema.safeParse(fields)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const name = String(issue?.path[0] ?? '')
  const isMissing = !Object.hasOwn(fields, name)
  throw new ConfabError(20001, isMissing ? `${name} is needed` : `${name} ${issue?.message ?? 'is wrong'}`)
}

function isListed(kind: z.ZodType): boolean {
  const { type, innerType } = kind.def as { type: string; innerType?: z.ZodType }
  return type === 'array' || (innerType !== undefined && isListed(innerType))
}
