/**
 * What administrators decided about each service, as far as every decision asks for it: its roles, which of them people
 * begin with, and who has another. Kept in memory, and on disk first: a change counts from the next decision on, on
 * live connections too.
 */
import {
  DEFAULT_ROLES,
  type DefaultRoles,
  PERMISSIONS,
  type Permission,
  type Role,
  type RoleTable,
  SERVICE_USER,
  type TimersRecord,
} from '@confab/core'
import type { ObjectStore } from '../store/objects.ts'

export const ROLE = 'role'
const CONFIGURATION = 'service-configuration'
const USER_ROLE = 'user-role'

/** A role as it is stored. */
export interface RoleValue {
  friendlyName: string
  type: Role['type']
  permissions: Permission[]
  dateCreated: number
  dateUpdated: number
}

/** How a service is set; what is absent is as everywhere. */
export interface ServiceConfiguration {
  /** What somebody may do in the service whose token says nothing. */
  serviceRoleSid?: string
  /** What the creator of a conversation joins as. */
  creatorRoleSid?: string
  /** What is added means. */
  participantRoleSid?: string
  /** Whether people are told who is connected. */
  reachabilityEnabled?: boolean
  /** What new conversations get that say nothing of timers. */
  timers?: TimersRecord
}

const known: ReadonlySet<string> = new Set(PERMISSIONS)

export class ServiceBook {
  readonly #defaults: RoleTable
  readonly #objects: ObjectStore
  readonly #roles = new Map<string, Map<string, Role>>()
  readonly #configurations = new Map<string, ServiceConfiguration>()
  readonly #userRoles = new Map<string, Map<string, string>>()

  /** @param defaults the roles of a service that nobody has changed anything in */
  constructor(defaults: RoleTable, objects: ObjectStore) {
    this.#defaults = defaults
    this.#objects = objects
  }

  /** Reads what is stored. To be called once, before anything is decided. */
  async load(): Promise<void> {
    for (const { scope, sid, value } of await this.#objects.all(ROLE))
      this.#setRole(scope, sid, value as unknown as RoleValue)
    for (const { scope, value } of await this.#objects.all(CONFIGURATION))
      this.#configurations.set(scope, value as ServiceConfiguration)
    for (const { scope, sid, value } of await this.#objects.all(USER_ROLE))
      this.#setUserRole(scope, sid, value as string)
  }

  roles(serviceSid: string): RoleTable {
    return this.#roles.get(serviceSid) ?? this.#defaults
  }

  /** Whether every service has it, so that it can be changed and not deleted. */
  isDefault(roleSid: string): boolean {
    return this.#defaults.has(roleSid)
  }

  configuration(serviceSid: string): ServiceConfiguration {
    return this.#configurations.get(serviceSid) ?? {}
  }

  defaultRoles(serviceSid: string): DefaultRoles | undefined {
    const { creatorRoleSid: creator, participantRoleSid: participant } = this.configuration(serviceSid)
    return creator === undefined && participant === undefined ? undefined : { creator, participant }
  }

  /**
   * What somebody may do in the whole service. A token that names a role has the word; otherwise an administrator's
   * choice for this person, or for everybody.
   */
  serviceRole(serviceSid: string, identity: string, ofToken: string = SERVICE_USER): string {
    if (ofToken !== SERVICE_USER) return ofToken
    return (
      this.#userRoles.get(serviceSid)?.get(identity) ??
      this.configuration(serviceSid).serviceRoleSid ??
      SERVICE_USER
    )
  }

  /** Whether somebody has the role as their role in the service, or begins with it. */
  isUsed(serviceSid: string, roleSid: string): boolean {
    const { serviceRoleSid, creatorRoleSid, participantRoleSid } = this.configuration(serviceSid)
    if ([serviceRoleSid, creatorRoleSid, participantRoleSid].includes(roleSid)) return true
    return [...(this.#userRoles.get(serviceSid)?.values() ?? [])].includes(roleSid)
  }

  async putRole(serviceSid: string, sid: string, value: RoleValue): Promise<void> {
    await this.#objects.put(serviceSid, ROLE, sid, value as never)
    this.#setRole(serviceSid, sid, value)
  }

  /** One that every service has is again as it was; another is gone. */
  async deleteRole(serviceSid: string, sid: string): Promise<void> {
    await this.#objects.delete(serviceSid, ROLE, sid)
    const roles = this.#roles.get(serviceSid)
    const before = this.#defaults.get(sid)
    if (before) roles?.set(sid, before)
    else roles?.delete(sid)
  }

  async configure(serviceSid: string, changes: ServiceConfiguration): Promise<void> {
    const value = { ...this.configuration(serviceSid), ...changes }
    await this.#objects.put(serviceSid, CONFIGURATION, serviceSid, value as never)
    this.#configurations.set(serviceSid, value)
  }

  /** Null: as everybody. */
  async putUserRole(serviceSid: string, identity: string, roleSid: string | null): Promise<void> {
    if (roleSid === null) await this.#objects.delete(serviceSid, USER_ROLE, identity)
    else await this.#objects.put(serviceSid, USER_ROLE, identity, roleSid)
    this.#setUserRole(serviceSid, identity, roleSid)
  }

  /** The service is gone, and what was decided about it. */
  async forget(serviceSid: string): Promise<void> {
    await this.#objects.deleteScope(serviceSid)
    for (const map of [this.#roles, this.#configurations, this.#userRoles]) map.delete(serviceSid)
  }

  #setRole(serviceSid: string, sid: string, { friendlyName, type, permissions }: RoleValue): void {
    let roles = this.#roles.get(serviceSid)
    if (!roles) {
      roles = new Map(this.#defaults)
      this.#roles.set(serviceSid, roles)
    }
    const allowed = new Set(permissions.filter((one) => known.has(one)))
    roles.set(sid, { sid, friendlyName, type, permissions: allowed })
  }

  #setUserRole(serviceSid: string, identity: string, roleSid: string | null): void {
    let users = this.#userRoles.get(serviceSid)
    if (!users) {
      users = new Map()
      this.#userRoles.set(serviceSid, users)
    }
    if (roleSid === null) users.delete(identity)
    else users.set(identity, roleSid)
  }
}

/** A book in which nothing is written. */
export const emptyBook = (roles: RoleTable = DEFAULT_ROLES): ServiceBook =>
  new ServiceBook(roles, {
    get: async () => null,
    list: async () => [],
    all: async () => [],
    put: async () => {},
    delete: async () => false,
    deleteScope: async () => {},
  })
