import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_ROLES, limitsWith, messageSidOf, type Operation, rolesRestoring } from '@confab/core'
import { afterAll, expect, test } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import { emptyBook } from '../src/services/service-book.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, freshId, operation, post } from './support/device.ts'

const folder = mkdtempSync(join(tmpdir(), 'confab-restored-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = () => join(folder, `${freshId()}.sqlite`)

/** The same device, connected anew. */
function reconnect(device: Device, engine: Device['engine']): Device {
  const next = new Device(engine, device.identity)
  for (const [document, doc] of device.docs) next.docs.set(document, doc)
  for (const [document, point] of device.points) next.points.set(document, point)
  return next
}

const restore = (posted: Operation, author: string, body: string): Operation =>
  operation('message.restore', { sid: messageSidOf(posted.id), index: 9, author, dateCreated: 4, body })

const members = { book: emptyBook(rolesRestoring(DEFAULT_ROLES, 'members')) }

test('a point of an earlier epoch is no loss, and one beyond what that epoch came to is', async () => {
  const [path, backup] = [file(), file()]
  let store = openSqliteStore(path)
  const limits = limitsWith({ outboxClients: 2 })
  let engine = createEngine({ store, limits })
  let ada = new Device(engine, 'ada')
  const sid = await ada.create('bob')
  let bob = new Device(engine, 'bob')
  await bob.open(sid)
  await store.close()
  copyFileSync(path, backup)
  store = openSqliteStore(path)
  engine = createEngine({ store, limits })
  ada = reconnect(ada, engine)
  await ada.open(sid)
  await ada.submit(sid, post('what the backup lacks'))
  await store.close()

  store = openSqliteStore(backup)
  engine = createEngine({ store, limits })
  // enough client ids for an epoch of the restored history
  for (let i = 0; i < 4; i++) {
    const again = new Device(engine, 'bob')
    await again.open(sid)
    await again.submit(sid, post(`${i}`))
  }
  await engine.drain()
  const next = createEngine({ store, limits })
  bob = reconnect(bob, next)
  const known = await bob.open(sid)
  expect(known).toMatchObject({ status: 'snapshot', replace: true })
  expect(known).not.toHaveProperty('lost')
  ada = reconnect(ada, next)
  expect(await ada.open(sid)).toMatchObject({ status: 'snapshot', replace: true, lost: true })
  await store.close()
})

test('whoever comes first, author or witness: a lost message is there once', async () => {
  const engine = createEngine({ store: openSqliteStore(':memory:'), ...members })
  const [ada, bob] = [new Device(engine, 'ada'), new Device(engine, 'bob')]
  const sid = await ada.create('bob')
  await bob.open(sid)
  const [first, second] = [post('the author comes first'), post('the witness comes first')]
  await ada.submit(sid, first)
  await bob.submit(sid, restore(first, 'ada', 'otherwise'), restore(second, 'ada', 'the witness comes first'))
  const [again] = await ada.submit(sid, second)
  expect(again).toMatchObject({ verdict: 'accepted' })
  expect(bob.messages(sid)).toMatchObject([
    { index: 0, author: 'ada', body: 'the author comes first' },
    {
      index: 1,
      author: 'ada',
      body: 'the witness comes first',
      restored: true,
      sid: messageSidOf(second.id),
    },
  ])
  expect(bob.messages(sid)[0]).not.toHaveProperty('restored')
  // and it is a message like any other
  await ada.submit(sid, operation('message.edit', { sid: messageSidOf(second.id), body: 'edited' }))
  expect(bob.bodies(sid)).toEqual(['the author comes first', 'edited'])
})

test('what was removed since stays removed, and nobody takes another name for what they bring', async () => {
  const engine = createEngine({ store: openSqliteStore(':memory:'), ...members })
  const [ada, bob] = [new Device(engine, 'ada'), new Device(engine, 'bob')]
  const sid = await ada.create('bob')
  await bob.open(sid)
  const gone = post('removed')
  await ada.submit(sid, gone, operation('message.remove', { sid: messageSidOf(gone.id) }))
  const [outcome] = await bob.submit(sid, restore(gone, 'ada', 'removed'))
  expect(outcome).toMatchObject({ verdict: 'accepted' })
  expect(bob.bodies(sid)).toEqual([])
  const lost = post("ada's")
  await bob.submit(sid, restore(lost, 'mallory', 'under a false name'))
  const [refused] = await ada.submit(sid, lost)
  expect(refused).toMatchObject({ verdict: 'refused', code: 70105 })
})

test('nobody restores until an administrator lets them', async () => {
  const engine = createEngine({ store: openSqliteStore(':memory:') })
  const ada = new Device(engine, 'ada')
  const sid = await ada.create('bob')
  const [outcome] = await ada.submit(sid, restore(post('x'), 'bob', 'x'))
  expect(outcome).toMatchObject({ verdict: 'refused', code: 20403 })
})

test('who may restore nothing is told that what they offer is there, or was removed', async () => {
  const engine = createEngine({ store: openSqliteStore(':memory:') })
  const [ada, bob] = [new Device(engine, 'ada'), new Device(engine, 'bob')]
  const sid = await ada.create('bob')
  await bob.open(sid)
  const [here, gone] = [post('here'), post('gone')]
  await ada.submit(sid, here, gone, operation('message.remove', { sid: messageSidOf(gone.id) }))
  expect(await bob.submit(sid, restore(here, 'ada', 'here'), restore(gone, 'ada', 'gone'))).toMatchObject([
    { verdict: 'accepted' },
    { verdict: 'accepted' },
  ])
  expect(bob.bodies(sid)).toEqual(['here'])
})

test('a removal that comes before what it removes keeps it away, from whoever brings it', async () => {
  const engine = createEngine({ store: openSqliteStore(':memory:'), ...members })
  const [ada, bob] = [new Device(engine, 'ada'), new Device(engine, 'bob')]
  const sid = await ada.create('bob')
  await bob.open(sid)
  const [own, anothers] = [post("ada's"), post("bob's")]
  const remove = ({ id }: Operation) => operation('message.remove', { sid: messageSidOf(id) })
  // ada is an admin: she had removed both
  await ada.submit(sid, remove(own), remove(anothers))
  const brought = [
    await bob.submit(sid, restore(own, 'ada', "ada's"), anothers),
    await ada.submit(sid, restore(anothers, 'bob', "bob's"), own),
  ]
  for (const outcome of brought.flat()) expect(outcome).toMatchObject({ verdict: 'accepted' })
  expect(bob.bodies(sid)).toEqual([])
})

test("who may remove only their own makes nobody else's message go by removing it before it comes", async () => {
  const engine = createEngine({ store: openSqliteStore(':memory:'), ...members })
  const [ada, bob] = [new Device(engine, 'ada'), new Device(engine, 'bob')]
  const sid = await ada.create('bob')
  await bob.open(sid)
  const lost = post("ada's")
  await bob.submit(sid, operation('message.remove', { sid: messageSidOf(lost.id) }))
  // refused, so that her device keeps the text
  expect(await ada.submit(sid, lost)).toMatchObject([{ verdict: 'refused', code: 70105 }])
})
