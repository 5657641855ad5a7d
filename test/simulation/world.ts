/**
 * A simulated world: people with devices and tabs, a relay, and a network that can't be trusted, in one
 * process, without sockets, driven by one seed. The engines on both sides are the real ones.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateSync } from 'node:zlib'
import {
  DEFAULT_LIMITS,
  DEFAULT_ROLES,
  limitsWith,
  type MessageRecord,
  type Operation,
  type Outcome,
  rolesRestoring,
} from '@confab/core'
import { createEngine as createRelayEngine } from '../../server/src/commit/create-engine.ts'
import type { SealingOptions } from '../../server/src/commit/options.ts'
import type { Engine as Relay } from '../../server/src/engine.ts'
import { emptyBook } from '../../server/src/services/service-book.ts'
import type { JournalBounds } from '../../server/src/store/sqlite/journal.ts'
import { openDatabase } from '../../server/src/store/sqlite/open.ts'
import { storeOn } from '../../server/src/store/sqlite/sqlite-store.ts'
import type { DocumentCommit, Store } from '../../server/src/store/store.ts'
import { Device } from './device.ts'
import { ACCOUNT, type Net, SERVICE, type SimulatedToken } from './link.ts'
import { type Random, seeded } from './random.ts'
import { settle, VirtualTime } from './virtual-time.ts'

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What the relay committed, seen from its store: the truth that every replica must end with. */
export interface Commits {
  /** Of every message ever accepted, by conversation and sid: its index. */
  indices: Map<string, Map<string, number>>
  /** The first outcome of every operation, by id. */
  outcomes: Map<string, Outcome>
  /** Who may read it now. */
  members: Map<string, Set<string>>
  epochs: number
}

export interface ShownBefore {
  device: Device
  conversation: string
  record: MessageRecord
  /** Document writes that its device had lost by then. */
  lostRows: number
}

const copyOf = (commits: Commits): Commits => structuredClone(commits)

export class World implements Net {
  readonly seed: number
  readonly time = new VirtualTime()
  readonly random: Random
  readonly devices: Device[] = []
  /** Devices that never came back after the relay was restored. */
  readonly gone: Device[] = []
  commits: Commits = {
    indices: new Map(),
    outcomes: new Map(),
    members: new Map(),
    epochs: 0,
  }
  readonly failures: string[] = []
  store: Store
  #db = openDatabase(':memory:')
  /** Commits that wait in the store's journal, at most. */
  readonly #bounds: JournalBounds
  /** How often the relay got an older disk. */
  restores = 0
  /** What people's lists of conversations said when the older disk was put in place: items by identity and sid. */
  readonly listed = new Map<string, Map<string, string>>()
  /** What apps showed when the older disk was put in place: whoever still has it brings it again. */
  readonly shown: ShownBefore[] = []
  #backup: { file: string; commits: Commits } | null = null
  readonly #sealing: Partial<SealingOptions> | false
  #relay: Relay | null = null
  /** Tokens end after this many milliseconds of virtual time. */
  tokenLife = 3_600_000
  /** What has happened, newest last: printed with a failing seed. */
  readonly trace: string[] = []

  private constructor(seed: number, sealing: Partial<SealingOptions> | false) {
    this.seed = seed
    this.random = seeded(seed)
    this.#sealing = sealing
    this.#bounds = { rows: seed % 3 === 0 ? 4096 : seed % 20, bytes: 2 ** 20 }
    this.store = storeOn(this.#db, this.#bounds)
  }

  static async create(seed: number, sealing = sealingOf(seed)): Promise<World> {
    const world = new World(seed, sealing)
    world.startRelay()
    return world
  }

  relay = (): Relay | null => this.#relay

  /** Whether members may bring again what others had written. */
  get membersRestore(): boolean {
    return this.seed % 2 === 1
  }

  startRelay(): void {
    const { time, random } = this
    let alive = true
    // another life of the store, too: what the last one had in its journal is there, what it knew is not
    this.store = storeOn(this.#db, this.#bounds)
    const guarded = this.#guard(() => alive)
    const relay = createRelayEngine({
      store: guarded,
      // few ids to an outbox, so that epochs come
      limits: limitsWith({ ...DEFAULT_LIMITS, outboxClients: 2 }),
      sealing: this.#sealing,
      mediaChecked: true,
      book: emptyBook(rolesRestoring(DEFAULT_ROLES, this.membersRestore ? 'members' : 'service admins')),
      deflate: async (bytes) => deflateSync(bytes),
      now: time.now,
      random: (count) => random.bytes(count),
      defer: time.macrotask,
      after: (milliseconds, run) => {
        const timer = time.setTimeout(run, milliseconds)
        return () => time.clearTimeout(timer)
      },
    })
    this.#relay = relay
    this.#crash = () => {
      alive = false
      this.#relay = null
      for (const members of this.#unlearned) members()
      this.#unlearned.clear()
      for (const device of this.devices) device.link.cut(1006)
    }
  }

  #crash: () => void = () => {}
  readonly #unlearned = new Set<() => void>()

  /** Ends the relay at once: what it had not stored is lost, what it had stored it may not have said. */
  crashRelay(): void {
    this.note('relay crashes')
    this.#crash()
  }

  /** Copies the relay's disk. */
  async backUp(): Promise<void> {
    if (this.#backup) return
    this.note('the disk is copied')
    const file = join(mkdtempSync(join(tmpdir(), 'confab-simulated-')), 'backup')
    await this.store.backup(file)
    this.#backup = { file, commits: copyOf(this.commits) }
  }

  /** The relay ends, and begins again with the older copy of its disk: what came after it never happened to it. */
  async restore(): Promise<void> {
    const backup = this.#backup
    if (!backup) return
    this.note('the older copy is put in place')
    this.#loseDevice()
    if (this.#relay) this.#crash()
    await this.store.close()
    this.#db = openDatabase(backup.file)
    this.store = storeOn(this.#db, this.#bounds)
    this.commits = copyOf(backup.commits)
    this.restores++
    for (const device of this.devices) {
      for (const { screen } of device.tabs) {
        for (const [conversation, { messages }] of screen.conversations) {
          for (const { record, status } of messages.values()) {
            if (status === 'accepted')
              this.shown.push({ device, conversation, record, lostRows: device.disk.lostRows })
          }
        }
      }
    }
    this.#dropBackup()
    for (const { identity } of this.devices) this.listed.set(identity, await this.listOf(identity))
    this.startRelay()
  }

  /** Where members may bring what others had written, somebody's device may be gone with what was on it. */
  #loseDevice(): void {
    if (!this.membersRestore || this.devices.length < 3 || this.random.chance(0.5)) return
    const [lost] = this.devices.splice(this.random.int(1, this.devices.length - 1), 1) as [Device]
    this.note(`${lost.name} is gone`)
    this.gone.push(lost)
    for (const tab of [...lost.tabs]) tab.crash()
    lost.link.setReachable(false)
  }

  /** What the relay's list of somebody's conversations says of each: an item, and whether it stands. */
  async listOf(identity: string): Promise<Map<string, string>> {
    const loaded = await this.store.load(SERVICE, `user/${identity}`)
    const entries = loaded?.mapItems.filter(({ root }) => root === 'conversations') ?? []
    return new Map(entries.map(({ key, item, value }) => [key, `${item} ${value !== undefined}`]))
  }

  #dropBackup(): void {
    if (!this.#backup) return
    // an open file stays as long as it is open
    rmSync(dirname(this.#backup.file), { recursive: true, force: true })
    this.#backup = null
  }

  /** The store as one life of the relay reaches it: nothing after a crash, and half of the writes in flight. */
  #guard(alive: () => boolean): Store {
    const { store } = this
    const gone = () => new Promise<never>(() => {})
    return new Proxy(store, {
      get: (target, key: keyof Store) => {
        if (key === 'commit') {
          return async (commits: DocumentCommit[]) => {
            if (!alive()) return gone()
            const before = this.random.chance(0.5)
            if (!before) await this.time.delay(this.random.int(0, 4))
            if (!alive()) return gone()
            const keys = await target.commit(commits)
            this.#learn(commits)
            // who is let in may read at once; who is removed may until the relay knows, or has to find out
            this.#letIn(commits)
            const members = () => this.#removed(commits)
            this.#unlearned.add(members)
            if (before) await this.time.delay(this.random.int(0, 4))
            if (!alive()) return gone()
            this.#unlearned.delete(members)
            members()
            return keys
          }
        }
        if (key === 'media') return target.media
        const method = target[key] as (...args: unknown[]) => Promise<unknown>
        return async (...args: unknown[]) => {
          if (!alive()) return gone()
          const result = await method.apply(target, args)
          return alive() ? result : gone()
        }
      },
    })
  }

  #learn(commits: readonly DocumentCommit[]): void {
    for (const commit of commits) {
      const { document } = commit.head
      if (commit.epoch) this.commits.epochs++
      for (const { id, outcome } of commit.decided) {
        if (this.commits.outcomes.has(id)) this.failures.push(`operation ${id} was decided twice`)
        this.commits.outcomes.set(id, outcome)
      }
      const indices = mapAt(this.commits.indices, document, () => new Map<string, number>())
      for (const { record } of commit.messages.put) {
        const known = indices.get(record.sid)
        if (known === undefined) {
          // one that was posted and removed in one commit leaves a gap: the oracle counts them at the end
          const highest = Math.max(-1, ...indices.values())
          if (record.index <= highest)
            this.failures.push(`${record.sid} got index ${record.index} after ${highest}`)
          indices.set(record.sid, record.index)
        } else if (known !== record.index) {
          this.failures.push(`${record.sid} moved from index ${known} to ${record.index}`)
        }
      }
    }
  }

  #letIn(commits: readonly DocumentCommit[]): void {
    for (const { head, members } of commits) {
      const here = mapAt(this.commits.members, head.document, () => new Set<string>())
      for (const { identity } of members?.put ?? []) here.add(identity)
    }
  }

  #removed(commits: readonly DocumentCommit[]): void {
    for (const { head, members } of commits) {
      for (const identity of members?.delete ?? []) this.commits.members.get(head.document)?.delete(identity)
    }
  }

  device(identity: string): Device {
    const device = new Device(this, identity, `${identity}.${this.devices.length}`)
    this.devices.push(device)
    return device
  }

  mintToken(identity: string): string {
    const expiresAt = this.time.now() + this.tokenLife
    const payload = {
      iss: 'SKsimulated',
      sub: ACCOUNT,
      exp: expiresAt / 1000,
      grants: { identity, chat: { service_sid: SERVICE } },
    }
    return `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(payload)}.simulated`
  }

  readToken(token: string): SimulatedToken {
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return { identity: payload.grants.identity, expiresAt: payload.exp * 1000 }
  }

  violation(message: string): void {
    this.failures.push(`an honest client was refused: ${message}`)
  }

  delivered(identity: string, document: string): void {
    if (!document.startsWith('CH')) {
      if (document !== `user/${identity}` && !document.startsWith('profile/')) {
        this.failures.push(`${identity} was sent ${document}`)
      }
      return
    }
    if (!this.commits.members.get(document)?.has(identity)) {
      this.failures.push(`${identity} was sent something of ${document}, which isn't theirs`)
    }
  }

  note(what: string): void {
    this.trace.push(`${((this.time.now() - Date.UTC(2026, 0, 5, 9)) / 1000).toFixed(3)} ${what}`)
  }

  /** Lets everything reach everybody: the relay runs, the network holds, tokens are fresh. */
  async heal(): Promise<void> {
    this.note('healing')
    this.tokenLife = 365 * 24 * 3_600_000
    if (!this.#relay) this.startRelay()
    for (const device of this.devices) device.heal()
    // longer than any backoff, deadline or retry
    for (let round = 0; round < 40; round++) {
      await this.time.advance(30_000)
      await settle()
      if (
        this.devices.every((device) =>
          device.tabs.every(({ engine }) => engine.pendingOperations().length === 0),
        )
      )
        break
    }
    await this.time.advance(60_000)
  }

  async end(): Promise<void> {
    for (const device of this.devices) await device.shutdown()
    await this.store.close()
    this.#dropBackup()
  }
}

/** A few messages to a page, so that conversations of a dozen have some. */
function sealingOf(seed: number): Partial<SealingOptions> | false {
  const random = seeded(seed ^ 0x5ea1)
  return (
    random.chance(0.75) && {
      messages: random.int(2, 12),
      pageMessages: random.int(1, 5),
      edited: random.int(0, 3),
      settle: random.int(1, 5_000),
    }
  )
}

export function mapAt<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}

export type { Operation }
