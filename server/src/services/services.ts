/** Services: the tenants of an account. Each account has one from the start, which `/v1/…` is about. */
import { randomBytes } from 'node:crypto'
import { defaultServiceSid } from '@confab/core'
import type { ObjectStore, Span, StoredObject } from '../store/objects.ts'

const SERVICE = 'service'

export interface ServiceValue {
  friendlyName: string
  dateCreated: number
  dateUpdated: number
}

export type ListedService = { sid: string; position: number } & ServiceValue

export class Services {
  readonly #objects: ObjectStore
  readonly #now: () => number
  /** Accounts whose default service has its row. */
  readonly #seen = new Set<string>()
  readonly #accounts = new Map<string, string>()

  constructor(objects: ObjectStore, now: () => number) {
    this.#objects = objects
    this.#now = now
  }

  /** Reads whose services there are. To be called once, before anything is decided. */
  async load(): Promise<void> {
    for (const { scope, sid } of await this.#objects.all(SERVICE)) this.#accounts.set(sid, scope)
  }

  /** Whose service it is, if that was ever asked for. */
  accountOf(serviceSid: string): string | undefined {
    return this.#accounts.get(serviceSid)
  }

  async has(accountSid: string, sid: string): Promise<boolean> {
    return (await this.get(accountSid, sid)) !== null
  }

  async get(accountSid: string, sid: string): Promise<ListedService | null> {
    await this.#ensureDefault(accountSid)
    const found = await this.#objects.get(accountSid, SERVICE, sid)
    return found && listed(found)
  }

  async list(accountSid: string, span: Span, limit: number): Promise<ListedService[]> {
    await this.#ensureDefault(accountSid)
    return (await this.#objects.list(accountSid, SERVICE, span, limit)).map(listed)
  }

  async create(accountSid: string, friendlyName: string): Promise<string> {
    await this.#ensureDefault(accountSid)
    const sid = `IS${randomBytes(16).toString('hex')}`
    await this.#put(accountSid, sid, friendlyName)
    return sid
  }

  async delete(accountSid: string, sid: string): Promise<void> {
    // whose it was stays known: its last events are told
    await this.#objects.delete(accountSid, SERVICE, sid)
  }

  async #ensureDefault(accountSid: string): Promise<void> {
    if (this.#seen.has(accountSid)) return
    const sid = defaultServiceSid(accountSid)
    if (!(await this.#objects.get(accountSid, SERVICE, sid)))
      await this.#put(accountSid, sid, 'Default Conversations Service')
    this.#seen.add(accountSid)
  }

  async #put(accountSid: string, sid: string, friendlyName: string): Promise<void> {
    const now = this.#now()
    await this.#objects.put(accountSid, SERVICE, sid, { friendlyName, dateCreated: now, dateUpdated: now })
    this.#accounts.set(sid, accountSid)
  }
}

const listed = ({ sid, position, value }: StoredObject): ListedService => ({
  sid,
  position,
  ...(value as unknown as ServiceValue),
})
