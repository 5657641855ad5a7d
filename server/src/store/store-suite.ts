/** What every store must do, as tests. An implementation's own test calls this with a way to open an empty one. */
import {
  type MessageRecord,
  type Outcome,
  parseDocumentName,
  type ReceiptRecord,
  userSid,
} from '@confab/core'
import { beforeEach, describe, expect, it } from 'vitest'
import type { QueuedEvent } from '../webhooks/queue.ts'
import { type DocumentCommit, type Head, NO_HISTORY, type Store } from './store.ts'

const SERVICE = `IS${'1'.repeat(32)}`
const OTHER_SERVICE = `IS${'2'.repeat(32)}`
const conversation = (n: number): string => `CH${n.toString(16).padStart(32, '0')}`
const hex = (n: number): string => n.toString(16).padStart(32, '0')
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

const message = (index: number, body = `m${index}`): MessageRecord => ({
  sid: `IM${hex(index)}`,
  index,
  author: 'ada',
  body,
  dateCreated: 1000 + index,
})

/** The operation that posted a message. */
const posted = (index: number): DocumentCommit['decided'][number] => ({
  id: hex(index),
  identity: 'ada',
  outcome: { id: hex(index), verdict: 'accepted' },
})

function head(document: string, seq: number, over: Partial<Head> = {}): Head {
  return {
    key: 0,
    serviceSid: SERVICE,
    document,
    kind: parseDocumentName(document)?.kind ?? 'conversation',
    epoch: 1,
    seq,
    roots: [{ root: 'commits', client: 4_000_000_000, clock: seq, base: 0, run: 7 }],
    highestIndex: -1,
    messageCount: 0,
    history: { ...NO_HISTORY },
    ...over,
  }
}

/** The commit that takes a document from `seq` to `seq + 1`. */
function commit(
  document: string,
  seq: number,
  over: Partial<DocumentCommit> & { head?: Head } = {},
): DocumentCommit {
  return {
    head: head(document, seq + 1),
    expectedSeq: seq,
    entry: { seq, update: bytes(seq), private: [] },
    mapItems: [],
    messages: { put: [], delete: [] },
    reads: { put: [], delete: [] },
    outboxClients: [],
    decided: [],
    ...over,
  }
}

const plain = (values: Iterable<Uint8Array>): number[][] => [...values].map((value) => [...value])

export function storeSuite(name: string, open: () => Promise<Store>): void {
  describe(`${name}: a store`, () => {
    let store: Store
    const first = conversation(1)

    beforeEach(async () => {
      store = await open()
      return () => store.close()
    })

    const create = async (document: string, over: Partial<DocumentCommit> = {}): Promise<number> => {
      const [key] = await store.commit([commit(document, 0, over)])
      return key as number
    }
    const member = (...identities: string[]): DocumentCommit['members'] => ({
      put: identities.map((identity) => ({ identity, status: 'joined' as const })),
      delete: [],
    })

    it('gives back what was committed', async () => {
      const accepted: Outcome = { id: hex(9), verdict: 'accepted' }
      const refused: Outcome = { id: hex(8), verdict: 'refused', code: 20403, message: 'no' }
      const key = await create(first, {
        mapItems: [
          { root: 'conversation', key: 'sid', item: [11, 0], value: first },
          { root: 'conversation', key: 'friendlyName', item: [11, 1], value: undefined },
        ],
        messages: { put: [{ record: message(0), item: [12, 0] }], delete: [] },
        reads: {
          put: [
            {
              record: { participantSid: `MB${hex(1)}`, lastReadMessageIndex: null, lastReadTimestamp: 5 },
              item: [13, 0],
            },
          ],
          delete: [],
        },
        outboxClients: [{ identity: 'ada', client: 4_294_967_295, clock: 3 }],
        decided: [
          { id: accepted.id, identity: 'ada', outcome: accepted },
          { id: refused.id, identity: 'bob', outcome: refused },
          posted(0),
        ],
      })
      const loaded = await store.load(SERVICE, first)
      expect(loaded?.head).toEqual({ ...head(first, 1), key })
      expect(loaded?.mapItems).toContainEqual({
        root: 'conversation',
        key: 'sid',
        item: [11, 0],
        value: first,
      })
      expect(loaded?.mapItems).toContainEqual({
        root: 'conversation',
        key: 'friendlyName',
        item: [11, 1],
        value: undefined,
      })
      expect(loaded?.reads).toEqual([
        {
          record: { participantSid: `MB${hex(1)}`, lastReadMessageIndex: null, lastReadTimestamp: 5 },
          item: [13, 0],
        },
      ])
      expect(loaded?.outboxClients).toEqual([{ identity: 'ada', client: 4_294_967_295, clock: 3 }])
      expect(await store.messages(key, [`IM${hex(0)}`, `IM${hex(77)}`])).toEqual([
        { record: message(0), item: [12, 0] },
      ])
      expect(await store.decided(key, [hex(9), hex(8), hex(7)])).toEqual([
        { id: hex(9), identity: 'ada', outcome: accepted },
        { id: hex(8), identity: 'bob', outcome: refused },
      ])
    })

    it('knows nothing of other services', async () => {
      await create(first, { members: member('ada'), uniqueName: { from: null, to: 'ours' } })
      expect(await store.load(OTHER_SERVICE, first)).toBe(null)
      expect(await store.points(OTHER_SERVICE, 'ada', [first])).toEqual([])
      expect(await store.uniqueNameOwner(OTHER_SERVICE, 'ours')).toBe(null)
      expect(await store.conversationCount(OTHER_SERVICE, 'ada')).toBe(0)
    })

    it('writes a batch whole or not at all', async () => {
      const key = await create(first)
      const late = commit(first, 5, { head: head(first, 6, { key }) })
      await expect(store.commit([commit(conversation(2), 0), late])).rejects.toMatchObject({ code: 70502 })
      expect(await store.load(SERVICE, conversation(2))).toBe(null)
      const keys = await store.commit([
        commit(conversation(2), 0),
        commit(first, 1, { head: head(first, 2, { key }) }),
        commit(conversation(3), 0),
      ])
      expect(keys.length).toBe(2)
      expect((await store.load(SERVICE, conversation(3)))?.head.key).toBe(keys[1])
    })

    it('refuses a second writer: a document that exists, a commit that was made', async () => {
      const key = await create(first)
      await expect(create(first)).rejects.toMatchObject({ code: 70502 })
      const second = commit(first, 1, { head: head(first, 2, { key }) })
      await store.commit([second])
      await expect(store.commit([second])).rejects.toMatchObject({ code: 70502 })
    })

    it('keeps the first decision of an operation', async () => {
      const key = await create(first, {
        decided: [{ id: hex(1), identity: 'ada', outcome: { id: hex(1), verdict: 'accepted' } }],
      })
      await store.commit([
        commit(first, 1, {
          head: head(first, 2, { key }),
          decided: [{ id: hex(1), identity: 'bob', outcome: { id: hex(1), verdict: 'accepted' } }],
        }),
      ])
      expect((await store.decided(key, [hex(1)]))[0]?.identity).toBe('ada')
    })

    it('changes and removes messages; ranges are by index', async () => {
      const put = [0, 1, 2, 3].map((index) => ({
        record: message(index),
        item: [5, index] as [number, number],
      }))
      const key = await create(first, {
        messages: { put, delete: [] },
        decided: put.map(({ record }) => posted(record.index)),
      })
      const edited = { ...message(1), body: 'edited' }
      await store.commit([
        commit(first, 1, {
          head: head(first, 2, { key }),
          messages: { put: [{ record: edited, item: [5, 4] }], delete: [message(2).sid] },
        }),
      ])
      expect((await store.messageRange(key, 1, 4)).map(({ record }) => record)).toEqual([edited, message(3)])
      expect(await store.messages(key, [edited.sid])).toEqual([{ record: edited, item: [5, 4] }])
    })

    it('shows resume points of what an identity may read', async () => {
      const key = await create(first, { members: member('ada', 'bob') })
      await create(conversation(2), { members: member('bob') })
      await create('user/ada')
      await create('user/bob')
      await create('profile/bob')
      const profiles = ['profile/bob', 'profile/nobody']
      const asked = [first, conversation(2), conversation(3), 'user/ada', 'user/bob', ...profiles]
      const points = await store.points(SERVICE, 'ada', asked)
      expect(points.map(({ document }) => document).sort()).toEqual([first, 'profile/bob', 'user/ada'].sort())
      expect(await store.points(OTHER_SERVICE, 'ada', asked)).toEqual([])
      expect(points.find(({ document }) => document === first)).toEqual({
        document: first,
        key,
        epoch: 1,
        seq: 1,
        commitsId: 4_000_000_000,
        clock: 1,
      })
      expect(await store.isMember(key, 'bob')).toBe(true)
      expect(await store.conversationCount(SERVICE, 'bob')).toBe(2)
      await store.commit([
        commit(first, 1, { head: head(first, 2, { key }), members: { put: [], delete: ['bob'] } }),
      ])
      expect(await store.isMember(key, 'bob')).toBe(false)
      expect(await store.conversationCount(SERVICE, 'bob')).toBe(1)
    })

    it('shows private parts of the log to their identity only', async () => {
      const parts = [
        { identity: 'ada', update: bytes(1, 2), outcomes: [{ id: hex(1), verdict: 'accepted' as const }] },
        { identity: 'bob', update: bytes(), outcomes: [] },
      ]
      const key = await create(first, { entry: { seq: 0, update: bytes(9), private: parts } })
      await store.commit([commit(first, 1, { head: head(first, 2, { key }) })])
      const seen = await store.log(key, 0, 'ada')
      expect(seen?.map(({ seq }) => seq)).toEqual([0, 1])
      expect(seen?.[0]?.private.map(({ identity, outcomes }) => ({ identity, outcomes }))).toEqual([
        { identity: 'ada', outcomes: parts[0]?.outcomes },
      ])
      expect([...(seen?.[0]?.private[0]?.update ?? [])]).toEqual([1, 2])
      expect((await store.log(key, 0, 'eve'))?.[0]?.private).toEqual([])
      expect((await store.log(key, 2, 'ada'))?.length).toBe(0)
    })

    it('finds unique names and addresses, and frees them', async () => {
      const pair = { address: '+1', proxyAddress: '+2' }
      const key = await create(first, {
        uniqueName: { from: null, to: 'ours' },
        bindings: { put: [{ ...pair, participantSid: `MB${hex(1)}` }], delete: [] },
      })
      expect(await store.uniqueNameOwner(SERVICE, 'ours')).toBe(first)
      expect(await store.bindingOwner(SERVICE, '+1', '+2')).toBe(first)
      await expect(create(conversation(2), { uniqueName: { from: null, to: 'ours' } })).rejects.toMatchObject(
        { code: 70502 },
      )
      await store.commit([
        commit(first, 1, {
          head: head(first, 2, { key }),
          uniqueName: { from: 'ours', to: 'mine' },
          bindings: { put: [], delete: [pair] },
        }),
      ])
      expect(await store.uniqueNameOwner(SERVICE, 'ours')).toBe(null)
      expect(await store.uniqueNameOwner(SERVICE, 'mine')).toBe(first)
      expect(await store.bindingOwner(SERVICE, '+1', '+2')).toBe(null)
    })

    it('finds the conversations on which an invite stands by its hash, and forgets it with them', async () => {
      const [hash, other] = ['ab'.repeat(32), 'cd'.repeat(32)] as [string, string]
      const second = conversation(2)
      const key = await create(first, { invites: { put: [hash, other], delete: [] } })
      const secondKey = await create(second, { invites: { put: [hash], delete: [] } })
      const held = () =>
        Promise.all(
          [first, second, conversation(3)].flatMap((document) => [
            store.hasInvite(SERVICE, document, hash),
            store.hasInvite(SERVICE, document, other),
            store.hasInvite(OTHER_SERVICE, document, hash),
          ]),
        )
      expect(await held()).toEqual([true, true, false, true, false, false, false, false, false])
      await store.commit([
        commit(first, 1, { head: head(first, 2, { key }), invites: { put: [], delete: [hash] } }),
        commit(second, 1, { head: head(second, 2, { key: secondKey }), deleted: true }),
      ])
      expect(await held()).toEqual([false, true, false, false, false, false, false, false, false])
    })

    it('keeps a head and the decisions of a deleted conversation, and nothing else', async () => {
      const key = await create(first, {
        members: member('ada'),
        uniqueName: { from: null, to: 'ours' },
        messages: { put: [{ record: message(0), item: [5, 0] }], delete: [] },
      })
      const decided = [{ id: hex(4), identity: 'ada', outcome: { id: hex(4), verdict: 'accepted' as const } }]
      await store.commit([commit(first, 1, { head: head(first, 2, { key }), deleted: true, decided })])
      const loaded = await store.load(SERVICE, first)
      expect(loaded).toMatchObject({
        head: { deleted: true, seq: 2 },
        mapItems: [],
        reads: [],
        outboxClients: [],
      })
      expect(await store.messageRange(key, 0, 10)).toEqual([])
      expect(await store.points(SERVICE, 'ada', [first])).toEqual([])
      expect(await store.uniqueNameOwner(SERVICE, 'ours')).toBe(null)
      expect((await store.decided(key, [hex(4)])).length).toBe(1)
      expect(await store.log(key, 0, 'ada')).toBe(null)
    })

    it('gives what timers do next, the soonest first, with the head and until it changes', async () => {
      const timed = (n: number, at: number) => create(conversation(n), { transition: { to: 'inactive', at } })
      const keys = [await timed(1, 300), await timed(2, 100), await timed(3, 200)]
      await create(conversation(4))
      const soonest = (await store.transitions(2)).map(({ document, at }) => [document, at])
      expect(soonest).toEqual([
        [conversation(2), 100],
        [conversation(3), 200],
      ])
      const next = (n: number, transition: DocumentCommit['transition']) => {
        const changed = commit(conversation(n), 1, {
          head: head(conversation(n), 2, { key: keys[n - 1] as number }),
        })
        return transition === undefined ? changed : { ...changed, transition }
      }
      await store.commit([next(1, { to: 'closed', at: 50 }), next(2, null), next(3, undefined)])
      expect(await store.transitions(9)).toEqual([
        { serviceSid: SERVICE, document: conversation(1), to: 'closed', at: 50 },
        { serviceSid: SERVICE, document: conversation(3), to: 'inactive', at: 200 },
      ])
      expect((await store.load(SERVICE, conversation(1)))?.head.transition).toEqual({ to: 'closed', at: 50 })
      expect((await store.load(SERVICE, conversation(2)))?.head.transition).toBe(undefined)
    })

    it('knows which snapshots are from before a sealing, until there is a newer one or an epoch', async () => {
      const key = await create(first)
      const at = async () => [(await store.load(SERVICE, first))?.sealedAt, await store.stale(5)]
      expect(await at()).toEqual([-1, []])
      await store.commit([commit(first, 1, { head: head(first, 2, { key }), seals: true })])
      await store.commit([commit(first, 2, { head: head(first, 3, { key }) })])
      expect(await at()).toEqual([1, [{ key }]])
      await store.compact(key, { seq: 1, update: bytes(1) }, [], 0)
      expect(await at()).toEqual([1, [{ key }]])
      await store.compact(key, { seq: 2, update: bytes(1) }, [], 0)
      expect(await at()).toEqual([1, []])
      await store.commit([commit(first, 3, { head: head(first, 4, { key }), seals: true })])
      expect(await at()).toEqual([3, [{ key }]])
      const epoch = { snapshot: { seq: 1, update: bytes(9) }, messages: [], mapItems: [], reads: [] }
      await store.commit([commit(first, 4, { head: head(first, 1, { key, epoch: 2 }), epoch })])
      expect(await at()).toEqual([-1, []])
    })

    it('compacts: a snapshot per identity, and a tail of the log', async () => {
      const key = await create(first)
      for (let seq = 1; seq < 200; seq++) {
        const entry = {
          seq,
          update: bytes(seq),
          private: [{ identity: 'ada', update: bytes(seq), outcomes: [] }],
        }
        await store.commit([commit(first, seq, { head: head(first, seq + 1, { key }), entry })])
      }
      await create(conversation(2))
      const [due, ...others] = await store.compactable(150, 5)
      expect(due).toMatchObject({ key, seq: 0 })
      expect(due?.entries).toBeGreaterThanOrEqual(150)
      expect(due?.entries).toBeLessThanOrEqual(200)
      expect(others).toEqual([])
      const input = await store.compactionInput(key)
      expect(input.snapshot).toBe(null)
      expect(input.entries.length).toBe(200)
      await store.compact(key, { seq: 200, update: bytes(1) }, [{ identity: 'ada', update: bytes(2) }], 190)
      expect(await store.compactable(1, 5)).toEqual([{ key: expect.any(Number), seq: 0, entries: 1 }])
      expect(await store.log(key, 189, 'ada')).toBe(null)
      expect((await store.log(key, 190, 'ada'))?.length).toBe(10)
      const own = await store.snapshot(key, 'ada')
      expect(own.snapshot?.seq).toBe(200)
      expect(plain([own.snapshot?.update as Uint8Array, own.outbox as Uint8Array])).toEqual([[1], [2]])
      expect((await store.snapshot(key, 'bob')).outbox).toBe(null)
      const next = await store.compactionInput(key)
      expect(next.entries).toEqual([])
      expect(next.outboxes.map(({ identity }) => identity)).toEqual(['ada'])
    })

    it('begins a new epoch from a snapshot, and keeps decisions and members', async () => {
      const key = await create(first, {
        members: member('ada'),
        messages: { put: [{ record: message(0), item: [5, 0] }], delete: [] },
        mapItems: [{ root: 'conversation', key: 'sid', item: [6, 0], value: first }],
        outboxClients: [{ identity: 'ada', client: 77, clock: 1 }],
        decided: [{ id: hex(1), identity: 'ada', outcome: { id: hex(1), verdict: 'accepted' } }],
      })
      const roots = [{ root: 'commits', client: 99, clock: 1, base: 0, run: 8 }]
      await store.commit([
        commit(first, 1, {
          head: head(first, 1, { key, epoch: 2, roots, retired: [[4_000_000_000, 7]] }),
          epoch: {
            snapshot: { seq: 1, update: bytes(7) },
            messages: [{ record: message(0), item: [55, 0] }],
            mapItems: [{ root: 'conversation', key: 'sid', item: [66, 0], value: first }],
            reads: [],
          },
        }),
      ])
      const loaded = await store.load(SERVICE, first)
      expect(loaded).toMatchObject({
        head: { epoch: 2, seq: 1, retired: [[4_000_000_000, 7]], roots },
        outboxClients: [],
      })
      expect(loaded?.mapItems).toEqual([{ root: 'conversation', key: 'sid', item: [66, 0], value: first }])
      expect(await store.messageRange(key, 0, 9)).toEqual([{ record: message(0), item: [55, 0] }])
      expect((await store.snapshot(key, 'ada')).snapshot?.seq).toBe(1)
      expect(await store.log(key, 1, 'ada')).toEqual([])
      expect((await store.decided(key, [hex(1)])).length).toBe(1)
      expect(await store.points(SERVICE, 'ada', [first])).toMatchObject([
        { epoch: 2, seq: 1, commitsId: 99, clock: 1 },
      ])
    })

    describe('keeps what administrators write down', () => {
      const names = (list: { sid: string }[]) => list.map(({ sid }) => sid)

      it('by scope, kind and sid, and changes it in its place', async () => {
        const { objects } = store
        for (const sid of ['a', 'b', 'c']) await objects.put('one', 'role', sid, { name: sid })
        await objects.put('two', 'role', 'a', { name: 'other' })
        await objects.put('one', 'key', 'a', 1)
        await objects.put('one', 'role', 'a', { name: 'again' })
        expect(await objects.get('one', 'role', 'a')).toMatchObject({ sid: 'a', value: { name: 'again' } })
        expect(await objects.get('one', 'role', 'd')).toBeNull()
        const all = await objects.list('one', 'role', { after: -1 }, 10)
        expect(names(all)).toEqual(['a', 'b', 'c'])
        const [first, second, third] = all.map(({ position }) => position)
        expect(names(await objects.list('one', 'role', { after: first as number }, 1))).toEqual(['b'])
        expect(names(await objects.list('one', 'role', { before: third as number }, 1))).toEqual(['b'])
        expect(names(await objects.list('one', 'role', { before: second as number }, 9))).toEqual(['a'])
        expect((await objects.all('role')).map(({ scope, sid }) => scope + sid)).toEqual([
          'onea',
          'oneb',
          'onec',
          'twoa',
        ])
        expect([await objects.delete('one', 'role', 'b'), await objects.delete('one', 'role', 'b')]).toEqual([
          true,
          false,
        ])
        await objects.deleteScope('one')
        expect((await objects.all('role')).map(({ scope }) => scope)).toEqual(['two'])
      })
    })

    describe('finds', () => {
      const made = (n: number, dateCreated: number, state?: string) =>
        create(conversation(n), {
          mapItems: [
            { root: 'conversation', key: 'dateCreated', item: [9, 0], value: dateCreated },
            ...(state
              ? [
                  {
                    root: 'conversation',
                    key: 'state',
                    item: [9, 1] as [number, number],
                    value: { current: state },
                  },
                ]
              : []),
          ],
          members: member('ada', ...(n % 2 ? ['bob'] : [])),
        })
      const found = async (filter: object, span: Parameters<Store['catalogue']['users']>[1], limit = 10) =>
        (await store.catalogue.conversations(SERVICE, filter, span, limit)).map(({ sid }) => sid)

      it('conversations that exist, by state and by when they were made, a page at a time', async () => {
        await made(1, 100)
        await made(2, 200, 'closed')
        await made(3, 300)
        const last = await made(4, 400, 'closed')
        await create('user/ada')
        const start = { after: -1 }
        const sids = (...numbers: number[]) => numbers.map(conversation)
        expect(await found({}, start)).toEqual(sids(1, 2, 3, 4))
        expect(await found({}, start, 2)).toEqual(sids(1, 2))
        expect(await found({}, { before: last }, 2)).toEqual(sids(2, 3))
        expect(await found({ state: 'closed' }, start)).toEqual(sids(2, 4))
        expect(await found({ state: 'active', from: 200 }, start)).toEqual(sids(3))
        expect(await found({ from: 200, to: 300 }, start)).toEqual(sids(2, 3))
        const head4 = { ...head(conversation(4), 2), key: last }
        await store.commit([commit(conversation(4), 1, { head: head4, deleted: true })])
        expect(await found({}, start)).toEqual(sids(1, 2, 3))
        expect(await store.catalogue.conversations(OTHER_SERVICE, {}, start, 10)).toEqual([])
      })

      it('people, in the order in which they came, and where each is', async () => {
        await made(1, 100)
        await made(2, 200)
        await create('profile/cleo')
        const { catalogue } = store
        const users = await catalogue.users(SERVICE, { after: -1 }, 10)
        expect(users.map(({ identity }) => identity)).toEqual(['ada', 'bob', 'cleo'])
        expect(await catalogue.user(SERVICE, userSid(SERVICE, 'bob'))).toMatchObject({ identity: 'bob' })
        expect(await catalogue.user(OTHER_SERVICE, userSid(SERVICE, 'bob'))).toBeNull()
        const of = async (identity: string) =>
          (await catalogue.conversationsWith(SERVICE, { identity }, { after: -1 }, 10)).map(({ sid }) => sid)
        expect([await of('ada'), await of('bob'), await of('dan')]).toEqual([
          [conversation(1), conversation(2)],
          [conversation(1)],
          [],
        ])
        await catalogue.noteUser(SERVICE, 'dan')
        await catalogue.noteUser(SERVICE, 'ada')
        await catalogue.forgetUser(SERVICE, 'bob')
        const left = await catalogue.users(SERVICE, { after: -1 }, 10)
        expect(left.map(({ identity }) => identity)).toEqual(['ada', 'cleo', 'dan'])
      })
    })

    describe('keeps for channels', () => {
      const [one, two] = [`MB${hex(1)}`, `MB${hex(2)}`]
      const reported = (index: number, ...statuses: ReceiptRecord[]): MessageRecord => ({
        ...message(index),
        receipts: statuses,
      })
      const put = (record: MessageRecord): Pick<DocumentCommit, 'messages'> => ({
        messages: { put: [{ record, item: [12, record.index] }], delete: [] },
      })
      const outgoing = async () =>
        (await store.channels.outgoing(-1, 10)).map(({ conversationSid, messageSid }) => [
          conversationSid,
          messageSid,
        ])

      it('what is still to be sent, until nobody is left to whom it is', async () => {
        const queued: ReceiptRecord[] = [
          { participantSid: one, status: 'queued' },
          { participantSid: two, status: 'queued' },
        ]
        const key = await create(first, { ...put(reported(0, ...queued)), decided: [posted(0)] })
        const next = (seq: number, record: MessageRecord) =>
          store.commit([commit(first, seq, { head: head(first, seq + 1, { key }), ...put(record) })])
        expect(await outgoing()).toEqual([[first, `IM${hex(0)}`]])
        const sent: ReceiptRecord = { participantSid: one, status: 'sent', channelMessageSid: 'smsc-1' }
        await next(1, reported(0, sent, queued[1] as ReceiptRecord))
        expect(await outgoing()).toHaveLength(1)
        await next(2, reported(0, sent, { participantSid: two, status: 'failed', errorCode: 7 }))
        expect(await outgoing()).toEqual([])
        expect(await store.channels.sentAs('smsc-1')).toEqual([
          { serviceSid: SERVICE, conversationSid: first, messageSid: `IM${hex(0)}`, participantSid: one },
        ])
        expect(await store.channels.sentAs('smsc-2')).toEqual([])
      })

      it('nothing of a message that was removed, or of a conversation that was deleted', async () => {
        const both = (index: number): MessageRecord =>
          reported(
            index,
            { participantSid: one, status: 'queued' },
            { participantSid: two, status: 'sent', channelMessageSid: `name-${index}` },
          )
        const puts = [0, 1].map((index) => ({ record: both(index), item: [12, index] as [number, number] }))
        const key = await create(first, {
          messages: { put: puts, delete: [] },
          decided: [posted(0), posted(1)],
        })
        const removal = { messages: { put: [], delete: [`IM${hex(0)}`] } }
        await store.commit([commit(first, 1, { head: head(first, 2, { key }), ...removal })])
        expect(await outgoing()).toEqual([[first, `IM${hex(1)}`]])
        expect(await store.channels.sentAs('name-0')).toEqual([])
        const deletion = { head: head(first, 3, { key, deleted: true }), deleted: true }
        await store.commit([commit(first, 2, deletion)])
        expect(await outgoing()).toEqual([])
        expect(await store.channels.sentAs('name-1')).toEqual([])
      })

      it('who wants to hear no more from which of our addresses, in one service', async () => {
        const { channels } = store
        const asked = (service: string, proxy: string) => channels.isOptedOut(service, '+1', proxy)
        await channels.setOptedOut(SERVICE, '+1', '+9', true)
        await channels.setOptedOut(SERVICE, '+1', '+9', true)
        expect([
          await asked(SERVICE, '+9'),
          await asked(SERVICE, '+8'),
          await asked(OTHER_SERVICE, '+9'),
        ]).toEqual([true, false, false])
        await channels.setOptedOut(SERVICE, '+1', '+9', false)
        expect(await asked(SERVICE, '+9')).toBe(false)
      })

      it('parts of a message until all are here, each once, and not for ever', async () => {
        const { channels } = store
        const part = (number: number, text: string) => ({
          from: '+1',
          to: '+9',
          reference: 5,
          total: 2,
          number,
          text,
        })
        expect(await channels.putPart('smpp', part(2, 'b'), 0)).toBeNull()
        expect(await channels.putPart('smpp', part(2, 'b'), 0)).toBeNull()
        expect(await channels.putPart('other', part(1, 'x'), 0)).toBeNull()
        expect(await channels.putPart('smpp', part(1, 'a'), 0)).toEqual(['a', 'b'])
        await channels.deleteParts('smpp', part(1, ''))
        expect(await channels.putPart('smpp', part(1, 'c'), 0)).toBeNull()
        const aWeek = 7 * 24 * 60 * 60 * 1000
        expect(await channels.putPart('smpp', part(2, 'd'), aWeek)).toBeNull()
      })
    })

    describe('keeps for webhooks', () => {
      const event = (n: number, over: Partial<QueuedEvent> = {}): QueuedEvent => ({
        webhook: 'WH1',
        accountSid: 'AC1',
        serviceSid: SERVICE,
        document: first,
        messageSid: null,
        token: hex(n),
        url: 'https://hooks.example.org/',
        method: 'POST',
        fields: { EventType: 'onMessageAdded', Body: `text ${n}`, Index: String(n) },
        at: 1000 + n,
        ...over,
      })
      const lane = { webhook: 'WH1', document: first }
      const waiting = async () => {
        const found = []
        for (let after = 0; ; ) {
          const next = await store.webhooks.next(lane, after)
          if (!next) return found
          found.push(next)
          after = next.position
        }
      }

      it('events of a commit, in their order, by webhook and document, until they were told', async () => {
        const other = event(3, { webhook: 'WH2' })
        await create(first, { events: [event(1), other, event(2)] })
        expect(await store.webhooks.lanes()).toEqual([lane, { ...lane, webhook: 'WH2' }])
        const [one, two] = await waiting()
        expect([one, two]).toMatchObject([
          { ...event(1), attempts: 0, due: 0 },
          { ...event(2), attempts: 0 },
        ])
        await store.webhooks.failed(one?.position as number, 1, 5000)
        expect(await store.webhooks.next(lane, 0)).toMatchObject({ token: hex(1), attempts: 1, due: 5000 })
        await store.webhooks.done([one?.position as number])
        expect((await waiting()).map(({ token }) => token)).toEqual([hex(2)])
        expect(await store.webhooks.counts()).toEqual({ pending: 2, dead: 0 })
        await store.webhooks.forget('WH2')
        expect(await store.webhooks.lanes()).toEqual([lane])
      })

      it('nothing of a commit that fails', async () => {
        const key = await create(first)
        const late = commit(first, 5, { head: head(first, 6, { key }), events: [event(1)] })
        await expect(store.commit([late])).rejects.toMatchObject({ code: 70502 })
        expect(await store.webhooks.lanes()).toEqual([])
      })

      it('what was given up, the newest of it, until it is taken up again in its place', async () => {
        await create(first, { events: [1, 2, 3, 4].map((n) => event(n)) })
        for (const { position } of (await waiting()).slice(0, 3))
          await store.webhooks.bury(position, 9, 7000, 'HTTP 500')
        await store.webhooks.prune(2)
        const dead = await store.webhooks.dead('AC1', 10)
        expect(dead.map(({ token, attempts, deadAt, error }) => [token, attempts, deadAt, error])).toEqual([
          [hex(3), 9, 7000, 'HTTP 500'],
          [hex(2), 9, 7000, 'HTTP 500'],
        ])
        expect(await store.webhooks.dead('AC2', 10)).toEqual([])
        expect(await store.webhooks.revive('AC2', null)).toEqual([])
        expect(await store.webhooks.revive('AC1', [hex(3)])).toEqual([lane])
        expect((await waiting()).map(({ token, attempts }) => [token, attempts])).toEqual([
          [hex(3), 0],
          [hex(4), 0],
        ])
        expect(await store.webhooks.counts()).toEqual({ pending: 2, dead: 1 })
      })

      it('no text of a message that was removed, or of a conversation that was deleted', async () => {
        const sid = `IM${hex(0)}`
        const key = await create(first, {
          messages: { put: [{ record: message(0), item: [12, 0] }], delete: [] },
          decided: [posted(0)],
          events: [event(1, { messageSid: sid }), event(2)],
        })
        const removal = { messages: { put: [], delete: [sid] } }
        await store.commit([commit(first, 1, { head: head(first, 2, { key }), ...removal })])
        expect((await waiting()).map(({ fields }) => [fields.Body, fields.Index])).toEqual([
          ['', '1'],
          ['text 2', '2'],
        ])
        const deletion = { head: head(first, 3, { key, deleted: true }), deleted: true, events: [event(3)] }
        await store.commit([commit(first, 2, deletion)])
        expect((await waiting()).map(({ fields }) => fields.Body)).toEqual(['', '', 'text 3'])
      })
    })

    it('keeps what administrators did, by account, the newest first', async () => {
      const entry = (n: number, accountSid: string | null) => ({
        at: n,
        accountSid,
        actor: `SK${n}`,
        act: 'POST Roles',
        target: '/v1/Roles',
        fields: ['FriendlyName'],
        requestId: null,
      })
      for (const [n, account] of ['AC1', 'AC2', null, 'AC1'].entries())
        await store.audit.note(entry(n, account))
      const listed = async (account: string | null, before: number, limit: number) =>
        (await store.audit.list(account, before, limit)).map(({ actor }) => actor)
      expect(await listed(null, 100, 10)).toEqual(['SK3', 'SK2', 'SK1', 'SK0'])
      expect(await listed('AC1', 100, 10)).toEqual(['SK3', 'SK0'])
      const [newest] = await store.audit.list('AC1', 100, 1)
      expect(newest).toMatchObject(entry(3, 'AC1'))
      expect(await listed('AC1', newest?.position as number, 10)).toEqual(['SK0'])
    })
  })
}
