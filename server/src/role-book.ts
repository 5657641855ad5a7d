/**
 * The roles of each service: the four that every one has, as far as an administrator hasn't changed them, and those
 * that were made. Kept in memory, all of them, because every decision asks; a change counts from the next decision on.
 */
import { PERMISSIONS, type Permission, type Role, type RoleTable } from '@confab/core'
import type { ObjectStore } from './store/objects.ts'

export const ROLE = 'role'

/** A role as it is stored. */
export interface RoleValue {
  friendlyName: string
  type: Role['type']
  permissions: Permission[]
  dateCreated: number
  dateUpdated: number
}

const known: ReadonlySet<string> = new Set(PERMISSIONS)

export class RoleBook {
  readonly #defaults: RoleTable
  readonly #objects: ObjectStore
  readonly #byService = new Map<string, Map<string, Role>>()

  /** @param defaults the roles of a service that nobody has changed anything in */
  constructor(defaults: RoleTable, objects: ObjectStore) {
    this.#defaults = defaults
    this.#objects = objects
  }

  /** Reads what is stored. To be called once, before anything is decided. */
  async load(): Promise<void> {
    for (const { scope, sid, value } of await this.#objects.all(ROLE)) {
      this.#set(scope, sid, value as unknown as RoleValue)
    }
  }

  of(serviceSid: string): RoleTable {
    return this.#byService.get(serviceSid) ?? this.#defaults
  }

  get defaults(): RoleTable {
    return this.#defaults
  }

  async put(serviceSid: string, sid: string, value: RoleValue): Promise<void> {
    await this.#objects.put(serviceSid, ROLE, sid, value as never)
    this.#set(serviceSid, sid, value)
  }

  async delete(serviceSid: string, sid: string): Promise<void> {
    await this.#objects.delete(serviceSid, ROLE, sid)
    const roles = this.#byService.get(serviceSid)
    const before = this.#defaults.get(sid)
    if (before) roles?.set(sid, before)
    else roles?.delete(sid)
  }

  #set(serviceSid: string, sid: string, { friendlyName, type, permissions }: RoleValue): void {
    let roles = this.#byService.get(serviceSid)
    if (!roles) {
      roles = new Map(this.#defaults)
      this.#byService.set(serviceSid, roles)
    }
    roles.set(sid, {
      sid,
      friendlyName,
      type,
      permissions: new Set(permissions.filter((one) => known.has(one))),
    })
  }
}
