/**
 * A relay in one process, on a Y.Doc per document and core's reducer: what the engine meets when a test must choose
 * the moment of a disconnect, a lost outcome, an epoch. It trusts what is uploaded; `server` has the real one.
 */
import {
  type Change,
  type ConversationRecord,
  DEFAULT_LIMITS,
  DEFAULT_ROLES,
  DraftState,
  decide,
  decideUser,
  EMPTY_MANIFEST,
  EMPTY_STATE,
  encodePage,
  goneBits,
  type Manifest,
  type MessageRecord,
  type Operation,
  type Outcome,
  outboxName,
  outcomeOf,
  PAGES_PER_BOOK,
  type PageEntry,
  type ProfileRecord,
  PUSH_KEY,
  type PushRegistrationRecord,
  pageHash,
  parseOperation,
  participantSid,
  profileDocument,
  type ResumePoint,
  readManifest,
  SERVICE_USER,
  type SettingRecord,
  type UserChange,
  UserDraft,
  userDocument,
} from '@confab/core'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { Replica } from '../../src/engine/replica.ts'
import type { Transport, TransportEvents, TransportFactory } from '../../src/transport/transport.ts'

interface Master {
  doc: Y.Doc
  epoch: number
  /** One client id writes all, so a commit's clock is the document's. */
  log: { update: Uint8Array; clock: number; outcomes: Map<string, Outcome[]> }[]
  decided: Map<string, Outcome>
  /** Of every sealed message that exists, by index: as it is now. */
  sealed: Map<number, MessageRecord>
  pages: Map<string, Uint8Array>
}

interface Connection {
  identity: string
  events: TransportEvents
  open: Set<string>
  connected: boolean
}

const RELAY_ORIGIN = {}
let ids = 1_000_000

export class YRelay {
  /** The relay's clock, milliseconds since the epoch. */
  now = Date.now()
  up = true
  /** Outcomes are decided, stored, and not told. */
  losesOutcomes = false
  /** Tells whoever opens a profile whether its person is connected, as the real one does. */
  tellsPresence = false
  /** Uploads are taken and not decided. */
  holdsUploads = false
  /** The next uploads are answered with these nacks. */
  readonly nacks: { code: number; message: string; retryAfter: number }[] = []
  /** Refuses these posts by their body, as a hook does. */
  readonly refusedBodies = new Set<string>()
  /** Attachments that it has not: posts with them are refused, and may be brought again. */
  readonly lacking = new Set<string>()
  readonly opened: { document: string; point: ResumePoint; pending: boolean }[] = []
  uploads = 0
  /** Hashes of the pages that were asked for. */
  asked: string[] = []
  /** Pages are given with a byte that is another. */
  damages = false
  /** Pages are given when `givePages` is called. */
  holdsPages = false
  #heldPages: (() => void)[] = []
  readonly #masters = new Map<string, Master>()
  readonly #connections = new Set<Connection>()
  #held: (() => void)[] = []

  transport(identity: string): TransportFactory {
    return () => {
      let connection: Connection | null = null
      const of = (): Connection => connection as Connection
      const transport: Transport = {
        start: (events) => {
          connection = { identity, events, open: new Set(), connected: false }
          this.#connections.add(connection)
          queueMicrotask(() => {
            if (!this.#connections.has(of())) return
            events.connecting()
            if (this.up) this.#connect(of())
          })
        },
        stop: async () => {
          if (connection) this.#connections.delete(connection)
          connection = null
        },
        wake() {},
        setToken() {},
        open: (requests) => {
          const from = of()
          this.#later(from, () => {
            for (const request of requests) this.#open(from, request)
          })
        },
        close: (documents) => {
          for (const document of documents) of().open.delete(document)
        },
        update: (document, update) => {
          const from = of()
          this.#later(from, () => this.#upload(from, document, update))
        },
        page: (document, hash) => {
          const from = of()
          this.asked.push(hash)
          return new Promise((resolve, reject) => {
            const answer = () => {
              const bytes = this.#isMember(document, from.identity) && this.#master(document).pages.get(hash)
              resolve(bytes ? (this.damages ? bytes.map((byte, i) => byte ^ Number(i === 9)) : bytes) : null)
            }
            if (!from.connected) reject(new Error('not connected'))
            else if (this.holdsPages)
              this.#heldPages.push(() => (from.connected ? answer() : reject(new Error('cut'))))
            else queueMicrotask(answer)
          })
        },
        awareness: (document, update) => {
          for (const other of this.#connections) {
            if (
              other !== connection &&
              other.open.has(document) &&
              this.#isMember(document, other.identity)
            ) {
              this.#later(other, () => other.events.awareness(document, update))
            }
          }
        },
      }
      return transport
    }
  }

  /** Cuts every connection; nothing under way arrives. */
  goDown(): void {
    this.up = false
    for (const connection of this.#connections) {
      if (!connection.connected) continue
      connection.connected = false
      connection.open = new Set()
      queueMicrotask(() => connection.events.disconnected({ code: 0, reason: 'cut', permanent: false }))
    }
  }

  comeUp(): void {
    this.up = true
    for (const connection of this.#connections) {
      queueMicrotask(() => {
        connection.events.connecting()
        this.#connect(connection)
      })
    }
  }

  /** Decides what was held back. */
  decideHeld(): void {
    this.holdsUploads = false
    for (const task of this.#held.splice(0)) task()
  }

  /** A system actor's operation. */
  system(document: string, operation: object): void {
    const id = (ids++).toString(16).padStart(32, '0')
    this.#commit(document, [{ id, dateWritten: this.now, ...operation } as Operation], null)
  }

  /** Another person's operation. */
  by(identity: string, document: string, operation: object): void {
    const id = (ids++).toString(16).padStart(32, '0')
    if (document === userDocument(identity)) {
      this.#commitUser(identity, [{ id, dateWritten: this.now, ...operation } as Operation], null)
      return
    }
    this.#commit(document, [{ id, dateWritten: this.now, ...operation } as Operation], identity)
  }

  /** The document goes on as a fresh one under the next epoch. */
  startEpoch(document: string): void {
    const old = this.#master(document)
    const doc = newDoc()
    for (const key of ['conversation', 'participants', 'conversations', 'settings', 'profile', 'history']) {
      for (const [name, value] of old.doc.getMap(key).entries()) doc.getMap(key).set(name, value)
    }
    for (const key of ['messages', 'reads']) doc.getArray(key).push(old.doc.getArray(key).toArray())
    const master: Master = { ...old, doc, epoch: old.epoch + 1, log: [] }
    this.#masters.set(document, master)
    this.#commitsOne(master)
    for (const connection of this.#connections) {
      if (connection.open.has(document) && this.#isMember(document, connection.identity))
        this.#snapshot(connection, document, true)
    }
  }

  givePages(): void {
    this.holdsPages = false
    for (const give of this.#heldPages.splice(0)) give()
  }

  /** Seals everything below an index: `length` indices to a page, in one commit. */
  seal(document: string, below: number, length: number): void {
    const master = this.#master(document)
    const update = capture(master.doc, () =>
      master.doc.transact(() => {
        const messages = master.doc.getArray<MessageRecord>('messages')
        const entries = this.#entries(master)
        for (let first = (entries.at(-1)?.[0] ?? -1) + 1; first + length <= below; first += length) {
          for (let i = messages.length - 1; i >= 0; i--) {
            const record = messages.get(i)
            if (record.index < first || record.index >= first + length) continue
            messages.delete(i)
            master.sealed.set(record.index, record)
          }
          entries.push(this.#entry(master, first, first + length - 1))
        }
        this.#writeEntries(master, entries)
      }, RELAY_ORIGIN),
    )
    this.#commitsOne(master, update)
    this.#tellNewest(document)
  }

  /** Makes the pages anew that lack a hash, or (`all`) have messages that were edited since. */
  remake(document: string, all = false): void {
    const master = this.#master(document)
    const update = capture(master.doc, () =>
      master.doc.transact(() => {
        const messages = master.doc.getArray<MessageRecord>('messages')
        let first = 0
        const entries = this.#entries(master).map((entry) => {
          const from = first
          first = entry[0] + 1
          if (entry[3] !== '' && !all) return entry
          for (let i = messages.length - 1; i >= 0; i--) {
            const { index } = messages.get(i)
            if (index >= from && index <= entry[0]) messages.delete(i)
          }
          return this.#entry(master, from, entry[0])
        })
        this.#writeEntries(master, entries)
      }, RELAY_ORIGIN),
    )
    this.#commitsOne(master, update)
    this.#tellNewest(document)
  }

  manifest(document: string): Manifest {
    const history = this.#masters.get(document)?.doc.getMap('history')
    return history ? readManifest((key) => history.get(key)) : EMPTY_MANIFEST
  }

  #entries({ doc }: Master): PageEntry[] {
    const books = doc.getMap<PageEntry[]>('history')
    return Array.from({ length: books.size }, (_, number) => books.get(String(number)) ?? []).flat()
  }

  /** Makes the page of these indices. */
  #entry(master: Master, first: number, last: number): PageEntry {
    const records: MessageRecord[] = []
    const gone: number[] = []
    for (let index = first; index <= last; index++) {
      const record = master.sealed.get(index)
      if (record) records.push(record)
      else gone.push(index)
    }
    const bytes = encodePage(records)
    const hash = records.length > 0 ? pageHash(bytes) : ''
    if (hash) master.pages.set(hash, bytes)
    const bits = goneBits(first, last, gone)
    return bits
      ? [last, records.length, bytes.length, hash, bits]
      : [last, records.length, bytes.length, hash]
  }

  #writeEntries({ doc }: Master, entries: PageEntry[]): void {
    const books = doc.getMap<PageEntry[]>('history')
    for (let number = 0; number * PAGES_PER_BOOK < entries.length; number++) {
      const book = entries.slice(number * PAGES_PER_BOOK, (number + 1) * PAGES_PER_BOOK)
      if (JSON.stringify(books.get(String(number))) !== JSON.stringify(book)) books.set(String(number), book)
    }
  }

  replica(document: string): Replica {
    const replica = new Replica(0, 1, 'nobody')
    replica.apply([Y.encodeStateAsUpdate(this.#master(document).doc)], null)
    replica.attach()
    for (const record of this.#master(document).sealed.values()) replica.recalled.set(record.sid, record)
    return replica
  }

  outcome(document: string, operationId: string): Outcome | undefined {
    return this.#master(document).decided.get(operationId)
  }

  bodies(document: string): string[] {
    const { ordered } = this.replica(document)
    const all = new Map(this.#master(document).sealed)
    for (const record of ordered) all.set(record.index, record)
    return [...all.values()].sort((a, b) => a.index - b.index).map(({ index, body }) => `${index} ${body}`)
  }

  #connect(connection: Connection): void {
    connection.connected = true
    const { identity } = connection
    const claims = { identity, accountSid: 'AC1', serviceSid: 'IS1' }
    connection.events.connected({ ...claims, now: this.now, expiresAt: 4e12, limits: null })
  }

  #later(connection: Connection, task: () => void): void {
    queueMicrotask(() => {
      if (connection.connected) task()
    })
  }

  #master(document: string): Master {
    let master = this.#masters.get(document)
    if (!master) {
      master = {
        doc: newDoc(),
        epoch: 1,
        log: [],
        decided: new Map(),
        sealed: new Map(),
        pages: new Map(),
      }
      this.#masters.set(document, master)
    }
    return master
  }

  #isMember(document: string, identity: string): boolean {
    if (document.startsWith('profile/')) return true
    if (!document.startsWith('CH')) return document === userDocument(identity)
    const { doc } = this.#master(document)
    if (doc.getMap('participants').has(participantSid(document, { identity }))) return true
    const record = doc.getMap('conversation')
    return record.get('creatorPending') === true && record.get('createdBy') === identity
  }

  #point({ doc, epoch, log }: Master): ResumePoint {
    return { epoch, commitsId: log.length > 0 ? doc.clientID : 0, clock: log.at(-1)?.clock ?? 0 }
  }

  #open(connection: Connection, request: { document: string; point: ResumePoint; pending: boolean }): void {
    const { document, point, pending } = request
    this.opened.push(request)
    connection.open.add(document)
    const { events } = connection
    if (!this.#isMember(document, connection.identity)) events.absent(document)
    else {
      const master = this.#master(document)
      const here = this.#point(master)
      if (point.commitsId === 0) this.#snapshot(connection, document, false)
      else if (point.epoch !== here.epoch || point.commitsId !== here.commitsId)
        this.#snapshot(connection, document, true)
      else if (point.clock >= here.clock) events.current(document)
      else
        this.#changes(
          connection,
          document,
          master.log.findIndex(({ clock }) => clock > point.clock),
        )
    }
    if (document.startsWith('profile/') && this.tellsPresence) {
      const online = [...this.#connections].some((one) => document === profileDocument(one.identity))
      events.awareness(document, presenceOf({ online }))
    }
    if (pending) {
      const member = this.#isMember(document, connection.identity)
      const stateVector = member ? Y.encodeStateVector(this.#master(document).doc) : new Uint8Array([0])
      events.requested(document, stateVector)
    }
  }

  #snapshot(connection: Connection, document: string, replace: boolean): void {
    const master = this.#master(document)
    if (master.log.length === 0) {
      connection.events.current(document)
      return
    }
    connection.events.received(document, {
      replace,
      point: this.#point(master),
      updates: [Y.encodeStateAsUpdate(master.doc)],
      outcomes: this.#outcomes(master, 0, connection.identity),
    })
  }

  #changes(connection: Connection, document: string, from: number): void {
    const master = this.#master(document)
    connection.events.received(document, {
      replace: false,
      point: this.#point(master),
      updates: master.log.slice(from).map((entry) => entry.update),
      outcomes: this.#outcomes(master, from, connection.identity),
    })
  }

  #outcomes(master: Master, from: number, identity: string): Outcome[] {
    if (this.losesOutcomes) return []
    return master.log.slice(from).flatMap((entry) => entry.outcomes.get(identity) ?? [])
  }

  #upload(connection: Connection, document: string, update: Uint8Array): void {
    this.uploads++
    if (this.holdsUploads) {
      this.#held.push(() => this.#later(connection, () => this.#upload(connection, document, update)))
      return
    }
    const nack = this.nacks.shift()
    if (nack) {
      connection.events.nack(document, nack)
      return
    }
    const { identity } = connection
    const member = this.#isMember(document, identity)
    const known = this.#master(document)
    // a stranger's bytes never touch the document unless they are let in
    const scratch = new Y.Doc()
    if (member) Y.applyUpdate(scratch, Y.encodeStateAsUpdate(known.doc))
    Y.applyUpdate(scratch, update)
    if (scratch.store.pendingStructs) {
      connection.events.requested(document, Y.encodeStateVector(known.doc))
      return
    }
    const operations = scratch.getArray<Operation>(outboxName(identity)).toArray()
    const [first] = operations
    if (
      !member &&
      first?.type !== 'conversation.create' &&
      !(first?.type === 'conversation.join' && first.invite)
    ) {
      const outcomes = operations.map(({ id }) => ({
        id,
        verdict: 'later' as const,
        code: 70201,
        message: 'Not now',
      }))
      connection.events.outcomes(document, outcomes)
      return
    }
    if (document === userDocument(identity)) this.#commitUser(identity, operations, update)
    else this.#commit(document, operations, identity, update, connection)
  }

  /** What somebody says of themselves: settings in their own document, the rest in a profile's. */
  #commitUser(identity: string, operations: Operation[], upload: Uint8Array | null): void {
    const document = userDocument(identity)
    const master = this.#master(document)
    const settings = master.doc.getMap<unknown>('settings')
    const state = new UserDraft({
      settingCount: [...settings.keys()].filter((key) => key !== PUSH_KEY).length,
      pushRegistrations: (settings.get(PUSH_KEY) as PushRegistrationRecord[] | undefined) ?? [],
      setting: (sid) => settings.get(sid) as SettingRecord | undefined,
      profile: (name) => this.profile(name),
    })
    const outcomes: Outcome[] = []
    const changes: UserChange[] = []
    for (const operation of operations) {
      const before = master.decided.get(operation.id)
      if (before) {
        outcomes.push(before)
        continue
      }
      const decision = decideUser(state, operation, {
        actor: { kind: 'identity', identity },
        identity,
        serviceSid: 'IS1',
        now: this.now++,
        limits: DEFAULT_LIMITS,
        roles: DEFAULT_ROLES,
        serviceRoleSid: SERVICE_USER,
      })
      const outcome = outcomeOf(operation.id, decision)
      outcomes.push(outcome)
      master.decided.set(operation.id, outcome)
      if (decision.verdict !== 'accepted') continue
      state.apply(decision.changes)
      changes.push(...decision.changes)
    }
    for (const change of changes) if (change.type === 'profile.set') this.#writeProfile(change)
    const update = capture(master.doc, () => {
      if (upload) Y.applyUpdate(master.doc, upload, RELAY_ORIGIN)
      master.doc.transact(() => {
        const outbox = master.doc.getArray(outboxName(identity))
        if (outbox.length > 0) outbox.delete(0, outbox.length)
        for (const change of changes) {
          if (change.type === 'setting.put') settings.set(change.conversationSid, change.record)
          else if (change.type === 'setting.delete') settings.delete(change.conversationSid)
          else if (change.type === 'push.put') settings.set(PUSH_KEY, change.registrations)
        }
      }, RELAY_ORIGIN)
    })
    this.#commitsOne(master, update, new Map([[identity, outcomes]]))
    this.#tellNewest(document)
  }

  #writeProfile({ identity, values }: UserChange & { type: 'profile.set' }): void {
    const document = profileDocument(identity)
    const master = this.#master(document)
    const update = capture(master.doc, () => {
      master.doc.transact(() => {
        for (const [key, value] of Object.entries(values)) {
          if (value === undefined) master.doc.getMap('profile').delete(key)
          else master.doc.getMap('profile').set(key, value)
        }
      }, RELAY_ORIGIN)
    })
    this.#commitsOne(master, update)
    this.#tellNewest(document)
  }

  #tellNewest(document: string): void {
    const newest = this.#master(document).log.length - 1
    for (const connection of this.#connections) {
      if (connection.open.has(document) && this.#isMember(document, connection.identity))
        this.#changes(connection, document, newest)
    }
  }

  /** What somebody's profile says; null for nothing. */
  profile(identity: string): ProfileRecord | null {
    const values = this.#master(profileDocument(identity)).doc.getMap('profile').toJSON()
    return 'sid' in values ? (values as ProfileRecord) : null
  }

  #commit(
    document: string,
    operations: Operation[],
    identity: string | null,
    upload: Uint8Array | null = null,
    from: Connection | null = null,
  ): void {
    const master = this.#master(document)
    const members = [...this.#connections].filter(
      (one) => one.open.has(document) && this.#isMember(document, one.identity),
    )
    const state = new DraftState(this.#isEmpty(master) ? EMPTY_STATE : this.replica(document))
    const outcomes: Outcome[] = []
    const changes: Change[] = []
    for (const value of operations) {
      const before = master.decided.get(value.id)
      if (before) {
        outcomes.push(before)
        continue
      }
      const parsed = parseOperation(value, DEFAULT_LIMITS)
      if ('error' in parsed) throw new Error(parsed.error.message)
      const operation = parsed.ok
      this.now++
      const lacks =
        operation.type === 'message.post' && operation.media?.some(({ sid }) => this.lacking.has(sid))
      if (lacks) {
        outcomes.push({ id: operation.id, verdict: 'refused', code: 70606, message: 'Lacking' })
        continue
      }
      const decision =
        operation.type === 'message.post' && this.refusedBodies.has(operation.body ?? '')
          ? { verdict: 'refused' as const, code: 70301, message: 'Refused by the application' }
          : decide(state, operation, {
              actor: identity === null ? { kind: 'system', source: 'test' } : { kind: 'identity', identity },
              conversationSid: document,
              now: this.now,
              limits: DEFAULT_LIMITS,
              roles: DEFAULT_ROLES,
              serviceRoleSid: SERVICE_USER,
              uniqueNameOwner: () => null,
              bindingOwner: () => null,
              conversationCount: () => 0,
              trustInvites: false,
            })
      const outcome = outcomeOf(operation.id, decision)
      outcomes.push(outcome)
      if (outcome.verdict === 'later') {
        from?.events.outcomes(document, [outcome])
        return
      }
      master.decided.set(operation.id, outcome)
      if (decision.verdict !== 'accepted') continue
      state.apply(decision.changes)
      changes.push(...decision.changes)
    }
    const update = capture(master.doc, () => {
      if (upload) Y.applyUpdate(master.doc, upload, RELAY_ORIGIN)
      master.doc.transact(() => {
        if (identity !== null) {
          const outbox = master.doc.getArray(outboxName(identity))
          if (outbox.length > 0) outbox.delete(0, outbox.length)
        }
        for (const change of changes) this.#write(master, change)
      }, RELAY_ORIGIN)
    })
    this.#commitsOne(master, update, identity === null ? new Map() : new Map([[identity, outcomes]]))
    for (const change of changes) this.#directory(change)
    for (const connection of this.#connections) {
      if (!connection.open.has(document)) continue
      const was = members.includes(connection)
      if (!this.#isMember(document, connection.identity)) {
        if (connection === from && !this.losesOutcomes) connection.events.outcomes(document, outcomes)
        if (was) connection.events.absent(document)
      } else if (was) this.#changes(connection, document, master.log.length - 1)
      else if (connection.identity === identity) this.#snapshot(connection, document, false)
    }
  }

  #commitsOne(
    master: Master,
    update: Uint8Array | null = null,
    outcomes: Map<string, Outcome[]> = new Map(),
  ): void {
    const commit = capture(master.doc, () => {
      const commits = master.doc.getArray('commits')
      master.doc.transact(() => {
        commits.push([0])
        commits.delete(0)
      }, RELAY_ORIGIN)
    })
    const clock = Y.getState(master.doc.store, master.doc.clientID)
    master.log.push({ update: update ? Y.mergeUpdates([update, commit]) : commit, clock, outcomes })
  }

  #isEmpty(master: Master): boolean {
    return master.doc.getMap('conversation').get('sid') === undefined
  }

  #write(master: Master, change: Change): void {
    const { doc, sealed } = master
    const messages = doc.getArray<{ sid: string }>('messages')
    const reads = doc.getArray<{ participantSid: string }>('reads')
    const drop = <One>(array: Y.Array<One>, is: (one: One) => boolean) => {
      const at = array.toArray().findIndex(is)
      if (at >= 0) array.delete(at)
    }
    switch (change.type) {
      case 'conversation.set':
        for (const [key, value] of Object.entries(change.values as ConversationRecord)) {
          if (value === undefined) doc.getMap('conversation').delete(key)
          else doc.getMap('conversation').set(key, value)
        }
        break
      case 'participant.put':
        doc.getMap('participants').set(change.record.sid, change.record)
        break
      case 'participant.delete':
        doc.getMap('participants').delete(change.record.sid)
        break
      case 'message.append':
        messages.push([change.record])
        break
      case 'message.replace':
        drop(messages, ({ sid }) => sid === change.record.sid)
        messages.push([change.record])
        if (sealed.has(change.record.index)) sealed.set(change.record.index, change.record)
        break
      case 'message.delete':
        drop(messages, ({ sid }) => sid === change.record.sid)
        if (sealed.delete(change.record.index)) this.#lose(master, change.record.index)
        doc.getMap('conversation').set('highestIndex', this.#highest(doc, change.record.index))
        break
      case 'read.put':
        drop(reads, ({ participantSid: sid }) => sid === change.record.participantSid)
        reads.push([change.record])
        break
      case 'read.delete':
        drop(reads, ({ participantSid: sid }) => sid === change.participantSid)
    }
  }

  /** A sealed message is gone: its page loses its name and its bytes. */
  #lose(master: Master, index: number): void {
    const entries = this.#entries(master)
    const at = entries.findIndex(([last]) => last >= index)
    const [last, , bytes, hash] = entries[at] as PageEntry
    master.pages.delete(hash)
    const first = (entries[at - 1]?.[0] ?? -1) + 1
    const gone: number[] = []
    for (let i = first; i <= last; i++) if (!master.sealed.has(i)) gone.push(i)
    const bits = goneBits(first, last, gone) as string
    entries[at] = [last, last - first + 1 - gone.length, bytes, '', bits]
    this.#writeEntries(master, entries)
  }

  #highest(doc: Y.Doc, removed: number): number {
    return Math.max(removed, (doc.getMap('conversation').get('highestIndex') as number | undefined) ?? -1)
  }

  #directory(change: Change): void {
    if (change.type !== 'directory.put' && change.type !== 'directory.delete') return
    const document = userDocument(change.identity)
    const master = this.#master(document)
    const update = capture(master.doc, () => {
      const conversations = master.doc.getMap('conversations')
      if (change.type === 'directory.put') conversations.set(change.record.sid, change.record)
      else conversations.delete(change.conversationSid)
    })
    this.#commitsOne(master, update)
    this.#tellNewest(document)
  }
}

/** What the relay itself says at a profile. */
function presenceOf(state: object): Uint8Array {
  return encoding.encode((encoder) => {
    for (const number of [1, 1, 1]) encoding.writeVarUint(encoder, number)
    encoding.writeVarString(encoder, JSON.stringify(state))
  })
}

function newDoc(): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = ids++
  return doc
}

function capture(doc: Y.Doc, change: () => void): Uint8Array {
  const updates: Uint8Array[] = []
  const collect = (update: Uint8Array) => void updates.push(update)
  doc.on('update', collect)
  change()
  doc.off('update', collect)
  return updates.length === 1 ? (updates[0] as Uint8Array) : Y.mergeUpdates(updates)
}
