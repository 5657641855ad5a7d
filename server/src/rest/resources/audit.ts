/** What administrators of the account did. Confab's own. */
import * as z from 'zod'
import { integer } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { date, dateText, maybe, text } from '../shapes.ts'

/** Entries of one answer, at most. */
const LISTED = 100

export const audit: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Audit',
    scope: 'account',
    resource: 'Audit',
    summary: 'Lists what administrators of the account did, the newest first; `Before` goes on behind a list',
    parameters: z.object({ Before: integer.optional() }),
    answer: z.object({
      entries: z.array(
        z.object({
          position: z.int(),
          date: date,
          actor: text,
          act: text,
          target: text,
          fields: z.array(text),
          request_id: maybe,
        }),
      ),
    }),
    handle: async ({ relay, accountSid }, { Before = Number.MAX_SAFE_INTEGER }) => {
      const entries = await relay.store.audit.list(accountSid, Before, LISTED)
      return {
        entries: entries.map(({ position, at, actor, act, target, fields, requestId }) => ({
          position,
          date: dateText(at),
          actor,
          act,
          target,
          fields,
          request_id: requestId,
        })),
      }
    },
  }),
]
