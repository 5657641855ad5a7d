/** Resources that are nothing but what an administrator wrote down: five operations over one object each. */
import { ConfabError, type Json } from '@confab/core'
import type * as z from 'zod'
import type { Call } from '../call.ts'
import { page } from '../paging.ts'
import { none, paging } from '../parameters.ts'
import { type Parameters, type Route, route } from '../route.ts'

export interface StoredValue {
  dateCreated: number
  dateUpdated: number
}

export interface StoredResource<
  Value extends StoredValue,
  Create extends Parameters,
  Update extends Parameters,
> {
  kind: string
  /** `/Credentials`. */
  path: string
  scope: Route['scope']
  resource: string
  /** One of it, for people: `a credential`. */
  one: string
  /** The key of a page's list. */
  list: string
  prefix: string
  /** What it belongs to: nobody else sees it. */
  scopeOf(call: Call): Promise<string> | string
  create: Create
  update: Update
  answer: z.ZodType
  /** @throws ConfabError when it can't be made */
  made(
    call: Call,
    fields: z.infer<Create>,
  ): Promise<Omit<Value, keyof StoredValue>> | Omit<Value, keyof StoredValue>
  changed(call: Call, before: Value, fields: z.infer<Update>): Promise<Partial<Value>> | Partial<Value>
  shape(call: Call, sid: string, value: Value): object
  /** Which of them a list shows; all by default. */
  listed?: { parameters: Parameters; isShown(value: Value, fields: { [name: string]: unknown }): boolean }
  /** How many there may be in one scope. */
  most: number
  /** Told of each change; `value` null: it was deleted. `made`: what it was made of. */
  after?(
    call: Call,
    changed: { scope: string; sid: string; value: Value | null; made?: z.infer<Create> },
  ): Promise<void> | void
}

/** @throws ConfabError 20404 */
async function stored<Value>(
  call: Call,
  scope: string,
  kind: string,
): Promise<{ sid: string; value: Value }> {
  const found = await call.relay.store.objects.get(scope, kind, call.part('Sid'))
  if (!found) throw call.notFound()
  return { sid: found.sid, value: found.value as Value }
}

export function storedResource<
  Value extends StoredValue,
  Create extends Parameters,
  Update extends Parameters,
>(declared: StoredResource<Value, Create, Update>): Route[] {
  const { kind, path, scope, resource, one, list, answer, scopeOf, shape, listed } = declared
  const common = { scope, resource, answer }
  const put = (call: Call, owner: string, sid: string, value: Value) =>
    call.relay.store.objects.put(owner, kind, sid, value as unknown as Json)
  return [
    route({
      ...common,
      method: 'POST',
      path,
      summary: `Makes ${one}`,
      parameters: declared.create,
      status: 201,
      handle: async (call, fields) => {
        const owner = await scopeOf(call)
        const made = await declared.made(call, fields as z.infer<Create>)
        const now = call.relay.now()
        const value = { ...made, dateCreated: now, dateUpdated: now } as Value
        await bounded(call, owner, declared)
        const sid = call.newSid(declared.prefix)
        await put(call, owner, sid, value)
        await declared.after?.(call, { scope: owner, sid, value, made: fields as z.infer<Create> })
        return shape(call, sid, value)
      },
    }),
    route({
      ...common,
      method: 'GET',
      path,
      summary: `Lists what there is of ${resource}`,
      parameters: listed ? paging.extend(listed.parameters.shape) : paging,
      list,
      handle: async (call, fields) => {
        const owner = await scopeOf(call)
        return page(
          call,
          list,
          fields as z.infer<typeof paging>,
          (span, limit) => call.relay.store.objects.list(owner, kind, span, limit),
          ({ sid, value }) => {
            const shown = value as unknown as Value
            return !listed || listed.isShown(shown, fields as { [name: string]: unknown })
              ? shape(call, sid, shown)
              : null
          },
        )
      },
    }),
    route({
      ...common,
      method: 'GET',
      path: `${path}/{Sid}`,
      summary: `Fetches ${one}`,
      parameters: none,
      handle: async (call) => {
        const { sid, value } = await stored<Value>(call, await scopeOf(call), kind)
        return shape(call, sid, value)
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${path}/{Sid}`,
      summary: `Changes ${one}; only the fields that are given`,
      parameters: declared.update,
      handle: async (call, fields) => {
        const owner = await scopeOf(call)
        const { sid, value: before } = await stored<Value>(call, owner, kind)
        const changes = await declared.changed(call, before, fields as z.infer<Update>)
        const value = { ...before, ...changes, dateUpdated: call.relay.now() }
        await put(call, owner, sid, value)
        await declared.after?.(call, { scope: owner, sid, value })
        return shape(call, sid, value)
      },
    }),
    route({
      ...common,
      method: 'DELETE',
      path: `${path}/{Sid}`,
      summary: `Deletes ${one}`,
      parameters: none,
      answer: null,
      handle: async (call) => {
        const owner = await scopeOf(call)
        const { sid } = await stored(call, owner, kind)
        await call.relay.store.objects.delete(owner, kind, sid)
        await declared.after?.(call, { scope: owner, sid, value: null })
        return null
      },
    }),
  ]
}

async function bounded(
  call: Call,
  owner: string,
  { kind, most, resource }: { kind: string; most: number; resource: string },
): Promise<void> {
  const found = await call.relay.store.objects.list(owner, kind, { after: -1 }, most)
  if (found.length >= most) throw tooMany(resource, most)
}

const tooMany = (resource: string, most: number) =>
  new ConfabError(20001, `There are ${most} of ${resource} already, which is the most`)
