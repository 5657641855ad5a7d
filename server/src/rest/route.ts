/**
 * How a route is declared. Routing, the reading of parameters, errors and the OpenAPI document all come out of these
 * declarations, so that none of them can say something else than another.
 */
import type * as z from 'zod'
import type { Call } from './call.ts'

export type Method = 'GET' | 'POST' | 'DELETE'

/** A form's fields, or a query's, by Twilio's names (`FriendlyName`, `MessagingBinding.Address`). */
export type Parameters = z.ZodObject

export interface Route<Fields extends Parameters = Parameters> {
  readonly method: Method
  /** Below `/v1` and, with `service`, below `/v1/Services/{ChatServiceSid}` too: `/Conversations/{Sid}`. */
  readonly path: string
  /** Where it is served: for the account's default service and for each, or only for one of the two. */
  readonly scope: 'both' | 'account' | 'service'
  /** What it is about, as people call it: the chapter of the documentation. */
  readonly resource: string
  readonly summary: string
  readonly parameters: Fields
  /** What a POST brings: fields in a form, or content as it is, and fields in the query. */
  readonly takes: 'form' | 'content'
  /** What it answers with; null for nothing (204), or for another address (307), which `handle` gives. A list answers with pages of it. */
  readonly answer: z.ZodType | null
  /** The key of a list's page under which its items are. */
  readonly list?: string
  readonly status: 200 | 201 | 202 | 204 | 307
  handle(call: Call, parameters: z.infer<Fields>): Promise<unknown>
}

type Declared<Fields extends Parameters> = Omit<Route<Fields>, 'scope' | 'status' | 'takes'> &
  Partial<Pick<Route<Fields>, 'scope' | 'status' | 'takes'>>

/** Declares a route; what it leaves out is what most have. */
export function route<Fields extends Parameters>(declared: Declared<Fields>): Route {
  const status = declared.answer === null ? 204 : 200
  return { scope: 'both', takes: 'form', status, ...declared } as unknown as Route
}

/** Whether the path is the template's, and what stands in the places of its names. */
export function matches(
  template: readonly string[],
  path: readonly string[],
): { [name: string]: string } | null {
  if (template.length !== path.length) return null
  const found: { [name: string]: string } = {}
  for (const [at, part] of template.entries()) {
    const given = path[at] as string
    if (part.startsWith('{')) found[part.slice(1, -1)] = given
    else if (part !== given) return null
  }
  return found
}
