/**
 * The acceptance suite of a storage: what every implementation must do, a sentence each. It needs no test
 * framework, so that it runs in a browser as it does in Node: `prove` resolves, or rejects with what was wrong.
 *
 * Long because it is a flat list; read the sentences.
 */
import type { MessagePost } from '@confab/core'
import { equalityDeep } from 'lib0/function'
import * as Y from 'yjs'
import { mediaSentences } from './media-sentences.ts'
import type { NewJournalEntry, Storage, Store, StoreOwner } from './storage.ts'
import { isComplete } from './stored-document.ts'

/** One device, as the suite sees it. */
export interface Device {
  /** The same device's storage as a process that just started gets it. */
  storage(): Storage
  /** The rows kept of a document, where they can be looked at from outside. */
  rows?(owner: StoreOwner, document: string, epoch: number): Promise<Uint8Array[]>
}

export interface Sentence {
  readonly sentence: string
  prove(device: Device): Promise<void>
}

let owners = 0
/** An owner that no other sentence uses, so that they may share a device. */
export const freshOwner = (): StoreOwner => ({
  relay: `wss://relay-${++owners}-${Math.random().toString(36).slice(2)}.example`,
  accountSid: 'AC1',
  serviceSid: 'IS1',
  identity: 'ada',
})

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}

export function checkEqual(actual: unknown, expected: unknown, what: string): void {
  check(
    equalityDeep(actual, expected),
    `${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`,
  )
}

export async function checkRejects(promise: Promise<unknown>, code: number, what: string): Promise<Error> {
  const error = await promise.then(
    () => null,
    (cause: unknown) => cause,
  )
  check(
    error instanceof Error && 'code' in error,
    `${what}: ${error === null ? 'did not reject' : String(error)}`,
  )
  checkEqual(error.code, code, `${what} (${error.message})`)
  return error
}

let ids = 0
export function newEntry(body: string, document = 'CH1'): NewJournalEntry {
  const id = (++ids).toString(16).padStart(32, '0')
  const operation: MessagePost = { id, type: 'message.post', dateWritten: 1_700_000_000_000 + ids, body }
  return { id, document, operation, state: 'pending' }
}

/** Opens the store, and closes it whatever becomes of the work. */
export async function withStore<T>(
  storage: Storage,
  owner: StoreOwner,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await storage.open(owner)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

const bodies = (entries: readonly { operation: unknown }[]) =>
  entries.map(({ operation }) => (operation as MessagePost).body)

const texts = (doc: Y.Doc) => doc.getArray('outbox/ada').toArray()

/** Loads what is stored of a document and gives the doc. */
async function readBack(store: Store, document: string, epoch = 1): Promise<Y.Doc> {
  const doc = new Y.Doc()
  const stored = store.documents.open(document, epoch, doc)
  await stored.loaded
  await stored.close()
  return doc
}

const journalSentences: Sentence[] = [
  {
    sentence: 'a store that nobody wrote to is empty',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        checkEqual(await journal.load(), { entries: [], summaries: [], values: {} }, 'contents')
      }),
  },
  {
    sentence: 'what was written is there after a restart, in the order of writing',
    async prove(device) {
      const owner = freshOwner()
      const first = newEntry('one')
      const second: NewJournalEntry = {
        ...newEntry('two', 'CH2'),
        state: 'held',
        error: { code: 50430, message: 'Not a participant' },
        heldAt: 1_700_000_000_123,
      }
      const third = newEntry('three')
      const summary = {
        document: 'CH1',
        epoch: 2,
        commitsId: 4_294_967_295,
        clock: 7,
        data: { name: 'Lunch', last: null },
      }
      const written = await withStore(device.storage(), owner, async ({ journal }) => [
        ...(await journal.write({ append: [first, second], values: { session: { a: [1] } } })),
        ...(await journal.write({ append: [third], summaries: [summary] })),
      ])
      await withStore(device.storage(), owner, async ({ journal }) => {
        const loaded = await journal.load()
        checkEqual(loaded.entries, written, 'entries are those that the writes gave')
        checkEqual(
          loaded.entries.map(({ position: _, ...entry }) => entry),
          [first, second, third],
          'entries are those that were given',
        )
        checkEqual(loaded.summaries, [summary], 'summaries')
        checkEqual(loaded.values, { session: { a: [1] } }, 'values')
      })
    },
  },
  {
    sentence: 'positions ascend across documents and clients, and are never given twice',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      const positions = await withStore(storage, owner, (one) =>
        withStore(storage, owner, async (two) => {
          const given: number[] = []
          for (let i = 0; i < 6; i++) {
            const { journal } = i % 2 === 0 ? one : two
            const entry = newEntry(`${i}`, `CH${i % 3}`)
            given.push(...(await journal.write({ append: [entry] })).map(({ position }) => position))
            if (i === 3) await journal.write({ remove: [entry.id] })
          }
          return given
        }),
      )
      const [next] = await withStore(device.storage(), owner, ({ journal }) =>
        journal.write({ append: [newEntry('after a restart')] }),
      )
      const all = [...positions, next?.position ?? 0]
      check(
        all.every((position, i) => i === 0 || position > (all[i - 1] ?? 0)),
        `positions ascend: ${all}`,
      )
    },
  },
  {
    sentence: 'writes complete in the order in which they were asked for',
    async prove(device) {
      const owner = freshOwner()
      await withStore(device.storage(), owner, async ({ journal }) => {
        const completed: number[] = []
        await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            await journal.write({ append: [newEntry(`${i}`)] })
            completed.push(i)
          }),
        )
        const expected = Array.from({ length: 20 }, (_, i) => i)
        checkEqual(completed, expected, 'order of completion')
        checkEqual(bodies((await journal.load()).entries), expected.map(String), 'order in the journal')
      })
    },
  },
  {
    sentence: 'entries are held and removed by id, and unknown ids are ignored',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const [kept, held, gone] = [newEntry('kept'), newEntry('held'), newEntry('gone')]
        await journal.write({ append: [kept, held, gone] })
        const error = { code: 50433, message: 'Already a participant' }
        await journal.write({
          hold: [
            { id: held.id, error, heldAt: 5 },
            { id: 'f'.repeat(32), error, heldAt: 5 },
          ],
          remove: [gone.id, 'e'.repeat(32)],
        })
        checkEqual(
          (await journal.load()).entries.map(({ position: _, ...entry }) => entry),
          [kept, { ...held, state: 'held', error, heldAt: 5 }],
          'entries',
        )
      }),
  },
  {
    sentence: 'appending an id that is there keeps its entry and its position',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const entry = newEntry('first')
        const [first] = await journal.write({ append: [entry] })
        await journal.write({ append: [newEntry('second')] })
        const [again] = await journal.write({ append: [{ ...entry, document: 'CH9' }] })
        checkEqual(again, first, 'what the second append gave')
        checkEqual(bodies((await journal.load()).entries), ['first', 'second'], 'entries')
      }),
  },
  {
    sentence: 'one write may take an entry away and put another in its place',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const held = newEntry('held')
        await journal.write({ append: [held, newEntry('other')] })
        await journal.write({ remove: [held.id], append: [newEntry('resent')] })
        checkEqual(bodies((await journal.load()).entries), ['other', 'resent'], 'entries')
      }),
  },
  {
    sentence: 'what is kept is passed over at start, found by its document, and pending again where it stood',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const [first, second, other, after] = await journal.write({
          append: [newEntry('one'), newEntry('two'), newEntry('elsewhere', 'CH2'), newEntry('three')],
        })
        const acceptedBy = { commitsId: 4_294_967_295, clock: 7 }
        const how = { heldAt: 5, acceptedBy, messageIndex: 3 }
        const keep = [second, first, other].map((entry) => ({ ...how, id: entry?.id ?? '' }))
        await journal.write({ keep: [...keep, { ...how, id: 'f'.repeat(32) }] })
        await journal.write({ keep: keep.map((one) => ({ ...one, heldAt: 9 })) })
        checkEqual((await journal.load()).entries, [after], 'what a start reads')
        const kept = [first, second].map((entry) => ({ ...entry, ...how, state: 'kept' }))
        checkEqual(await journal.kept('CH1'), kept, 'what is kept')
        checkEqual(await journal.write({ append: [second as NewJournalEntry] }), [second], 'what is written')
        checkEqual((await journal.load()).entries, [second, after], 'what a start reads then')
        checkEqual(bodies(await journal.kept('CH1')), ['one'], 'what is kept then')
      }),
  },
  {
    sentence: 'what is erased is gone, and what takes its place in the same write is kept',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const acceptedBy = { commitsId: 1, clock: 1 }
        const keep = (entries: { id: string }[]) =>
          entries.map(({ id }) => ({ id, heldAt: 5, acceptedBy, messageIndex: undefined }))
        const entries = await journal.write({ append: ['erased', 'stays'].map((body) => newEntry(body)) })
        await journal.write({ keep: keep(entries) })
        const instead = newEntry('instead')
        const erase = [entries[0]?.id ?? '', 'f'.repeat(32)]
        await journal.write({ erase, append: [instead], keep: keep([instead]) })
        checkEqual((await journal.load()).entries, [], 'what a start reads')
        checkEqual(bodies(await journal.kept('CH1')), ['stays', 'instead'], 'what is kept')
      }),
  },
  {
    sentence: 'of what is kept the newest remain, and none that is older than asked for',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const entries = await journal.write({ append: ['1', '2', '3', '4'].map((body) => newEntry(body)) })
        const acceptedBy = { commitsId: 1, clock: 1 }
        await journal.write({
          keep: entries.map(({ id }, at) => ({ id, heldAt: at, acceptedBy, messageIndex: at })),
        })
        await journal.write({ prune: { before: 0, most: 3 } })
        checkEqual(bodies(await journal.kept('CH1')), ['2', '3', '4'], 'the newest')
        await journal.write({ prune: { before: 2, most: 3 } })
        checkEqual(bodies(await journal.kept('CH1')), ['3', '4'], 'the young')
      }),
  },
  {
    sentence: 'summaries and values are replaced and removed by key',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const summary = (document: string, clock: number) => ({
          document,
          epoch: 1,
          commitsId: 1,
          clock,
          data: {},
        })
        await journal.write({
          summaries: [summary('CH1', 1), summary('CH2', 1)],
          values: { kept: 1, gone: 2, __proto__x: 3 },
        })
        await journal.write({
          summaries: [summary('CH1', 2)],
          removeSummaries: ['CH2', 'CH3'],
          values: { kept: null, gone: undefined, never: undefined },
        })
        const { summaries, values } = await journal.load()
        checkEqual(summaries, [summary('CH1', 2)], 'summaries')
        checkEqual(values, { kept: null, __proto__x: 3 }, 'values')
      }),
  },
  {
    sentence: 'a write that fails rejects with 70501, leaves nothing behind, and the next one is taken',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const impossible = journal.write({
          append: [newEntry('lost')],
          values: { before: 1, impossible: () => 1 },
        })
        const next = journal.write({ append: [newEntry('next')] })
        const error = await checkRejects(impossible, 70501, 'the failing write')
        check(error.cause instanceof Error, 'the error names its cause')
        await next
        const { entries, values } = await journal.load()
        checkEqual(bodies(entries), ['next'], 'entries')
        checkEqual(values, {}, 'values')
      }),
  },
  {
    sentence: 'what a caller does to its objects afterwards changes nothing that is stored',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async ({ journal }) => {
        const entry = newEntry('as written')
        const [given] = await journal.write({ append: [entry] })
        check(given !== undefined, 'the entry was given back')
        ;(entry.operation as MessagePost).body = 'changed'
        ;(given.operation as MessagePost).body = 'changed'
        ;((await journal.load()).entries[0]?.operation as MessagePost).body = 'changed'
        checkEqual(bodies((await journal.load()).entries), ['as written'], 'entries')
      }),
  },
  {
    sentence: 'owners on one device never meet',
    async prove(device) {
      const ada = freshOwner()
      const others = [
        { ...ada, identity: 'ben' },
        { ...ada, serviceSid: 'IS2' },
        { ...ada, accountSid: 'AC2' },
        { ...ada, relay: `${ada.relay}/2` },
      ]
      const storage = device.storage()
      await withStore(storage, ada, async ({ journal, documents }) => {
        await journal.write({ append: [newEntry('private')], values: { secret: 1 } })
        const doc = new Y.Doc()
        const stored = documents.open('CH1', 1, doc)
        doc.getArray('outbox/ada').push(['private'])
        await stored.close()
      })
      for (const owner of others) {
        await withStore(storage, owner, async (store) => {
          checkEqual(
            await store.journal.load(),
            { entries: [], summaries: [], values: {} },
            'the journal of another',
          )
          checkEqual(texts(await readBack(store, 'CH1')), [], 'the document of another')
        })
      }
    },
  },
  {
    sentence: 'two clients of one owner share one journal',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withStore(storage, owner, (one) =>
        withStore(storage, owner, async (two) => {
          const [a, b] = [newEntry('of one'), newEntry('of two')]
          await Promise.all([one.journal.write({ append: [a] }), two.journal.write({ append: [b] })])
          checkEqual(await one.journal.load(), await two.journal.load(), 'what both see')
          await two.journal.write({ remove: [a.id] })
          checkEqual(bodies((await one.journal.load()).entries), ['of two'], 'what the first sees')
        }),
      )
    },
  },
  {
    sentence: 'a client that closes leaves the store to the others, and itself can write no more',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      const closed = await storage.open(owner)
      await withStore(storage, owner, async ({ journal }) => {
        const last = closed.journal.write({ append: [newEntry('asked for before closing')] })
        await closed.close()
        await last
        await checkRejects(closed.journal.write({ values: { late: 1 } }), 70501, 'a write after closing')
        await journal.write({ append: [newEntry('still open')] })
        const { entries, values } = await journal.load()
        checkEqual(bodies(entries), ['asked for before closing', 'still open'], 'entries')
        checkEqual(values, {}, 'values')
      })
    },
  },
  {
    sentence: 'the last owner of a relay is remembered, and no other relay’s',
    async prove(device) {
      const owner = freshOwner()
      checkEqual(await device.storage().lastOwner(owner.relay), null, 'before')
      await device.storage().rememberOwner(owner)
      await device.storage().rememberOwner({ ...owner, identity: 'ben' })
      checkEqual(await device.storage().lastOwner(owner.relay), { ...owner, identity: 'ben' }, 'the last one')
      checkEqual(await device.storage().lastOwner(`${owner.relay}/2`), null, 'another relay')
    },
  },
]

const documentSentences: Sentence[] = [
  {
    sentence: 'a document is there after a restart, with what it held before, during and after loading',
    async prove(device) {
      const owner = freshOwner()
      await withStore(device.storage(), owner, async ({ documents }) => {
        const doc = new Y.Doc()
        doc.getArray('outbox/ada').push(['before'])
        const stored = documents.open('CH1', 1, doc)
        doc.getArray('outbox/ada').push(['during'])
        await stored.loaded
        doc.getArray('outbox/ada').push(['after'])
        await stored.close()
      })
      await withStore(device.storage(), owner, async (store) => {
        const doc = await readBack(store, 'CH1')
        checkEqual(texts(doc), ['before', 'during', 'after'], 'contents')
        check(isComplete(doc), 'nothing is missing')
      })
    },
  },
  {
    sentence: 'loading is not a local change',
    async prove(device) {
      const owner = freshOwner()
      await withStore(device.storage(), owner, async (store) => {
        const doc = new Y.Doc()
        doc.getArray('outbox/ada').push(['stored'])
        await store.documents.open('CH1', 1, doc).close()
        const loaded = new Y.Doc()
        const local: boolean[] = []
        loaded.on('afterTransaction', (transaction: Y.Transaction) => void local.push(transaction.local))
        const stored = store.documents.open('CH1', 1, loaded)
        await stored.loaded
        await stored.close()
        check(local.length > 0 && local.every((one) => !one), `local: ${local}`)
      })
    },
  },
  {
    sentence: 'documents and epochs are kept apart, and removing one removes that one',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async (store) => {
        const names: [string, number][] = [
          ['CH1', 1],
          ['CH1', 2],
          ['user/ada', 1],
        ]
        for (const [document, epoch] of names) {
          const doc = new Y.Doc()
          doc.getArray('outbox/ada').push([`${document} ${epoch}`])
          await store.documents.open(document, epoch, doc).close()
        }
        await store.documents.remove('CH1', 1)
        await store.documents.remove('CH7', 1)
        checkEqual(texts(await readBack(store, 'CH1', 1)), [], 'removed')
        checkEqual(texts(await readBack(store, 'CH1', 2)), ['CH1 2'], 'another epoch')
        checkEqual(texts(await readBack(store, 'user/ada', 1)), ['user/ada 1'], 'another document')
      }),
  },
  {
    sentence: 'after compacting, no row holds what was removed, and the document reads the same',
    async prove(device) {
      const owner = freshOwner()
      await withStore(device.storage(), owner, async (store) => {
        const doc = new Y.Doc()
        const stored = store.documents.open('CH1', 1, doc)
        await stored.loaded
        const outbox = doc.getArray('outbox/ada')
        outbox.push(['keep this'])
        outbox.push(['regrettable'])
        outbox.push(['and this'])
        outbox.delete(1)
        await stored.compact()
        if (device.rows) {
          const rows = await device.rows(owner, 'CH1', 1)
          checkEqual(rows.length, 1, 'rows after compacting')
          const plain = rows.map((row) => new TextDecoder('latin1').decode(row)).join()
          check(
            plain.includes('keep this') && !plain.includes('regrettable'),
            'only what remains is in the row',
          )
        }
        outbox.push(['afterwards'])
        await stored.close()
        checkEqual(texts(await readBack(store, 'CH1')), ['keep this', 'and this', 'afterwards'], 'contents')
      })
    },
  },
  {
    sentence: 'compacting in one client keeps what another client wrote',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withStore(storage, owner, (one) =>
        withStore(storage, owner, async (two) => {
          const [docOne, docTwo] = [new Y.Doc(), new Y.Doc()]
          const storedOne = one.documents.open('CH1', 1, docOne)
          const storedTwo = two.documents.open('CH1', 1, docTwo)
          await Promise.all([storedOne.loaded, storedTwo.loaded])
          docTwo.getArray('outbox/ada').push(['of two'])
          await storedTwo.close()
          docOne.getArray('outbox/ada').push(['of one'])
          await storedOne.compact()
          await storedOne.close()
          checkEqual(texts(await readBack(one, 'CH1')).sort(), ['of one', 'of two'], 'contents')
        }),
      )
    },
  },
  {
    sentence: 'many small updates are rewritten as few rows by themselves',
    async prove(device) {
      const owner = freshOwner()
      await withStore(device.storage(), owner, async (store) => {
        const doc = new Y.Doc()
        const stored = store.documents.open('CH1', 1, doc)
        await stored.loaded
        const expected = Array.from({ length: 600 }, (_, i) => i)
        for (const i of expected) doc.getArray('outbox/ada').push([i])
        await stored.close()
        if (device.rows) {
          const { length } = await device.rows(owner, 'CH1', 1)
          check(length < 500, `${length} rows`)
        }
        checkEqual(texts(await readBack(store, 'CH1')), expected, 'contents')
      })
    },
  },
  {
    sentence: 'removing a document that another client has open does not wait for it, nor hurt it',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withStore(storage, owner, (one) =>
        withStore(storage, owner, async (two) => {
          const doc = new Y.Doc()
          const stored = one.documents.open('CH1', 1, doc)
          await stored.loaded
          doc.getArray('outbox/ada').push(['here'])
          await two.documents.remove('CH1', 1)
          doc.getArray('outbox/ada').push(['and now'])
          checkEqual(texts(doc), ['here', 'and now'], 'the open document')
          await stored.close()
        }),
      )
    },
  },
  {
    sentence: 'what changes after closing is not kept, and closing twice is closing',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async (store) => {
        const doc = new Y.Doc()
        const stored = store.documents.open('CH1', 1, doc)
        doc.getArray('outbox/ada').push(['kept'])
        await Promise.all([stored.close(), stored.close()])
        doc.getArray('outbox/ada').push(['late'])
        checkEqual(texts(await readBack(store, 'CH1')), ['kept'], 'contents')
      }),
  },
  {
    sentence: 'a document that lost a write is seen to be incomplete',
    prove: (device) =>
      withStore(device.storage(), freshOwner(), async (store) => {
        const source = new Y.Doc()
        const updates: Uint8Array[] = []
        source.on('update', (update: Uint8Array) => void updates.push(update))
        source.getArray('outbox/ada').push(['lost'])
        source.getArray('outbox/ada').push(['kept'])
        const doc = new Y.Doc()
        Y.applyUpdate(doc, updates[1] ?? new Uint8Array())
        await store.documents.open('CH1', 1, doc).close()
        check(!isComplete(await readBack(store, 'CH1')), 'it is incomplete')
      }),
  },
]

const pageSentences: readonly Sentence[] = [
  {
    sentence: 'a page is read as it was put, by a later process too, and its last use is known',
    async prove({ storage }) {
      const owner = freshOwner()
      const bytes = new Uint8Array([1, 2, 3])
      await withStore(storage(), owner, async ({ pages }) => {
        await pages.put('CH1', 'a', bytes, 10)
        await pages.put('CH1', 'b', new Uint8Array(2), 20)
        checkEqual(await pages.get('CH2', 'a', 30), null, 'another conversation’s')
      })
      await withStore(storage(), owner, async ({ pages }) => {
        checkEqual(await pages.get('CH1', 'a', 40), bytes, 'the page')
        const listed = (await pages.list()).sort((one, other) => one.used - other.used)
        const expected = [
          { document: 'CH1', hash: 'b', size: 2, used: 20 },
          { document: 'CH1', hash: 'a', size: 3, used: 40 },
        ]
        checkEqual(listed, expected, 'the list')
      })
    },
  },
  {
    sentence: 'a page that was deleted is gone, and the others stay',
    async prove({ storage }) {
      await withStore(storage(), freshOwner(), async ({ pages }) => {
        for (const hash of ['a', 'b', 'c']) await pages.put('CH1', hash, new Uint8Array([1]), 0)
        await pages.put('CH2', 'a', new Uint8Array([2]), 0)
        await pages.delete('CH1', ['a', 'b', 'unknown'])
        const left = (await pages.list()).map(({ document, hash }) => document + hash).sort()
        checkEqual(left, ['CH1c', 'CH2a'], 'what is left')
        checkEqual(await pages.get('CH1', 'a', 0), null, 'the deleted one')
      })
    },
  },
  {
    sentence: 'an update of a document is stored after what must be stored before it',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ documents }) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        const doc = new Y.Doc()
        const stored = documents.open('CH1', 1, doc, () => promise)
        await stored.loaded
        doc.getArray('outbox/ada').push(['later'])
        const early = new Y.Doc()
        const reading = documents.open('CH1', 1, early)
        await reading.loaded
        checkEqual(early.getArray('outbox/ada').length, 0, 'entries before')
        await reading.close()
        resolve()
        await stored.close()
        const late = new Y.Doc()
        const again = documents.open('CH1', 1, late)
        await again.loaded
        checkEqual(late.getArray('outbox/ada').toArray(), ['later'], 'entries after')
        await again.close()
      })
    },
  },
]

const peerSentences: Sentence[] = [
  {
    sentence:
      'a message reaches the other clients of the store, in order, and not its sender or other owners',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withStore(storage, owner, (sender) =>
        withStore(storage, owner, (receiver) =>
          withStore(storage, { ...owner, identity: 'ben' }, async (stranger) => {
            const astray: unknown[] = []
            sender.peers.onMessage((message) => astray.push(message))
            stranger.peers.onMessage((message) => astray.push(message))
            const received = collect(receiver, 2)
            const first = { document: 'CH1', update: new Uint8Array([1, 2, 255]) }
            sender.peers.post(first)
            sender.peers.post('second')
            checkEqual(await received, [first, 'second'], 'what arrived')
            checkEqual(astray, [], 'what went astray')
          }),
        ),
      )
    },
  },
  {
    sentence: 'a client that closed hears nothing more, and its posts go nowhere',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withStore(storage, owner, (one) =>
        withStore(storage, owner, async (two) => {
          const gone = await storage.open(owner)
          const heard: unknown[] = []
          gone.peers.onMessage((message) => heard.push(message))
          await gone.close()
          const received = collect(two, 1)
          gone.peers.post('from beyond')
          one.peers.post('hello')
          checkEqual(await received, ['hello'], 'what arrived')
          checkEqual(heard, [], 'what the closed one heard')
        }),
      )
    },
  },
]

const destructionSentences: Sentence[] = [
  {
    sentence: 'what is destroyed is gone, and what another owner has is not',
    async prove(device) {
      const owner = freshOwner()
      const other = { ...owner, identity: 'ben' }
      const storage = device.storage()
      for (const one of [other, owner]) {
        await storage.rememberOwner(one)
        await withStore(storage, one, async ({ journal, pages, documents }) => {
          await journal.write({ append: [newEntry('one')], values: { key: 'value' } })
          await pages.put('CH1', 'hash', new Uint8Array([1]), 1)
          const doc = new Y.Doc()
          const stored = documents.open('CH1', 1, doc)
          await stored.loaded
          doc.getArray('outbox/ada').push(['text'])
          await stored.close()
        })
      }
      await storage.destroy?.(owner)
      checkEqual(await storage.lastOwner(owner.relay), null, 'the last owner')
      const heldBy = (one: StoreOwner) =>
        withStore(storage, one, async ({ journal, pages, documents }) => {
          const { entries, values } = await journal.load()
          const doc = new Y.Doc()
          const stored = documents.open('CH1', 1, doc)
          await stored.loaded
          await stored.close()
          const texts = doc.getArray('outbox/ada').length
          return [entries.length, Object.keys(values).length, (await pages.list()).length, texts]
        })
      checkEqual(await heldBy(other), [1, 1, 1, 1], 'what the other has')
      checkEqual(await heldBy(owner), [0, 0, 0, 0], 'what is left')
    },
  },
]

function collect(store: Store, count: number): Promise<unknown[]> {
  return new Promise((resolve) => {
    const received: unknown[] = []
    store.peers.onMessage((message) => {
      received.push(message)
      if (received.length === count) resolve(received)
    })
  })
}

export const storageSentences: readonly Sentence[] = [
  ...journalSentences,
  ...documentSentences,
  ...pageSentences,
  ...peerSentences,
  ...mediaSentences,
  ...destructionSentences,
]
