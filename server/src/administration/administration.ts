/**
 * What the `confab` command does to a relay's database: the same whether the relay runs (it is asked) or not (the
 * command opens the database itself). Each act has a name and JSON for arguments and answer, and is on the audit trail
 * when it changed something.
 */
import { ConfabError, defaultServiceSid, isHexId, isSid, type Json } from '@confab/core'
import * as z from 'zod'
import type { Accounts } from '../accounts/accounts.ts'
import type { CopiedContent } from '../media/backup.ts'
import type { Store } from '../store/store.ts'
import type { RetentionRule, RetentionRules } from './retention.ts'

export interface AdministrationParts {
  store: Pick<Store, 'objects' | 'audit' | 'webhooks'>
  /** Copies the database into a new file, and content beside it. */
  backUp(file: string): Promise<CopiedContent>
  accounts: Accounts
  retention: Pick<RetentionRules, 'set' | 'list'>
  /** Takes up events that were given up; gives how many. */
  retry(tokens: readonly string[] | null): Promise<number>
  now(): number
}

const sid = z.string().max(64)
const name = z.string().max(256)

interface Act<Fields extends z.ZodObject = z.ZodObject> {
  fields: Fields
  /** What it changed, for the audit trail; null: it only reads. */
  target: ((given: z.infer<Fields>, answer: unknown) => string) | null
  do(parts: AdministrationParts, given: z.infer<Fields>): Promise<unknown>
}

const act = <Fields extends z.ZodObject>(declared: Act<Fields>): Act => declared as unknown as Act
const none = z.object({})
const madeSid = (_: unknown, answer: unknown) => (answer as { sid: string }).sid

const ACTS: { readonly [name: string]: Act } = {
  backup: act({
    fields: z.object({ file: z.string() }),
    target: ({ file }) => file,
    do: ({ backUp }, { file }) => backUp(file),
  }),
  'accounts.create': act({
    fields: z.object({ name }),
    target: madeSid,
    do: ({ accounts }, { name }) => accounts.create(name),
  }),
  'accounts.list': act({ fields: none, target: null, do: ({ accounts }) => accounts.list() }),
  'accounts.rotate': act({
    fields: z.object({ sid }),
    target: ({ sid }) => sid,
    do: ({ accounts }, { sid }) => accounts.rotate(sid),
  }),
  'keys.create': act({
    fields: z.object({ account: sid, name }),
    target: madeSid,
    do: ({ accounts }, { account, name }) => accounts.createKey(account, name),
  }),
  'keys.list': act({
    fields: z.object({ account: sid }),
    target: null,
    do: ({ accounts }, { account }) => accounts.listKeys(account),
  }),
  'keys.delete': act({
    fields: z.object({ sid }),
    target: ({ sid }) => sid,
    do: ({ accounts }, { sid }) => accounts.deleteKey(sid),
  }),
  'webhooks.list': act({
    fields: z.object({ limit: z.int().min(1).max(10_000) }),
    target: null,
    async do({ store }, { limit }) {
      const [counts, dead] = await Promise.all([store.webhooks.counts(), store.webhooks.dead(null, limit)])
      // what people wrote is not for a terminal
      const failures = dead.map(({ fields, ...rest }) => ({ ...rest, type: fields.EventType ?? '' }))
      return { ...counts, failures }
    },
  }),
  'webhooks.retry': act({
    fields: z.object({ events: z.array(z.string().refine(isHexId)).max(10_000).nullable() }),
    target: ({ events }) => (events ? events.join(' ') : 'all'),
    do: async ({ retry }, { events }) => ({ retried: await retry(events) }),
  }),
  audit: act({
    fields: z.object({ limit: z.int().min(1).max(10_000) }),
    target: null,
    do: ({ store }, { limit }) => store.audit.list(null, Number.MAX_SAFE_INTEGER, limit),
  }),
  'retention.list': act({ fields: none, target: null, do: ({ retention }) => retention.list() }),
  'retention.set': act({
    fields: z.object({
      account: sid,
      service: sid.nullable(),
      conversation: sid.nullable(),
      days: z.int().min(1).max(100_000).nullable(),
    }),
    target: ({ account, service, conversation, days }) =>
      `${conversation ?? service ?? account}: ${days === null ? 'for ever' : `${days} days`}`,
    async do({ retention }, { account, service, conversation, days }) {
      const serviceSid = service ?? defaultServiceSid(account)
      if (!isSid('IS', serviceSid)) throw new ConfabError(20001, 'a service is IS and 32 hex digits')
      if (conversation !== null && !isSid('CH', conversation))
        throw new ConfabError(20001, 'a conversation is CH and 32 hex digits')
      const rule: RetentionRule = { serviceSid, conversationSid: conversation, days }
      await retention.set(rule)
      return rule
    },
  }),
}

export class Administration {
  readonly #parts: AdministrationParts

  constructor(parts: AdministrationParts) {
    this.#parts = parts
  }

  /**
   * @param by the user of the machine who asks
   * @throws ConfabError 20001 for an act that there isn't, or arguments that aren't its
   */
  async do(name: string, given: Json, by: string): Promise<Json> {
    const found = Object.hasOwn(ACTS, name) ? ACTS[name] : undefined
    if (!found)
      throw new ConfabError(20001, `this relay knows no ${name}: is the command of another version?`)
    const read = found.fields.safeParse(given)
    if (!read.success) {
      const [issue] = read.error.issues
      throw new ConfabError(20001, `${name}: ${issue?.path.join('.')}: ${issue?.message}`)
    }
    const answer = await found.do(this.#parts, read.data)
    if (found.target) {
      await this.#parts.store.audit.note({
        at: this.#parts.now(),
        accountSid: null,
        actor: `command:${by.slice(0, 64)}`,
        act: name,
        target: found.target(read.data, answer),
        fields: [],
        requestId: null,
      })
    }
    return (answer ?? null) as Json
  }
}
