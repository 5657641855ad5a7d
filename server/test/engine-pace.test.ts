import { expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, post } from './support/device.ts'
import { HandClock } from './support/hand-clock.ts'

/** A conversation of so many, each with one device, and the author among them. */
async function conversation(members: number) {
  const clock = new HandClock()
  const engine = createEngine({
    store: openSqliteStore(':memory:'),
    now: clock.now,
    after: clock.after,
    sealing: false,
  })
  const others = Array.from({ length: members - 1 }, (_, i) => `member-${i}`)
  const author = new Device(engine, 'author')
  const sid = await author.create(...others)
  const readers = others.map((identity) => new Device(engine, identity))
  for (const reader of readers) await reader.open(sid)
  await clock.advance(1000)
  const write = (body: string) => author.upload(sid, author.write(sid, post(body)))
  const commits = () => readers[0]?.points.get(sid)?.clock
  return { clock, engine, author, sid, readers, write, commits }
}

it('a conversation that many read tells them at once of a first post, and of those that follow closely in one commit', async () => {
  const { clock, readers, sid, write, commits } = await conversation(60)
  await write('one')
  const before = commits() as number
  expect(readers.every((reader) => reader.bodies(sid).join() === 'one')).toBe(true)
  const following = Promise.all(['two', 'three', 'four'].map(write))
  await clock.turn()
  expect(commits()).toBe(before)
  await clock.advance(50)
  await following
  expect(commits()).toBe(before + 1)
  expect(readers.every((reader) => reader.bodies(sid).join() === 'one,two,three,four')).toBe(true)
})

it('a conversation of a few is told of everything as it comes', async () => {
  const { write, commits } = await conversation(10)
  await write('one')
  const before = commits() as number
  await write('two')
  await write('three')
  expect(commits()).toBe(before + 2)
})

it('a clock that was set back makes nobody wait', async () => {
  const { clock, readers, sid, write } = await conversation(60)
  await write('one')
  clock.set(-3_600_000)
  await write('two')
  expect(readers[0]?.bodies(sid)).toEqual(['one', 'two'])
})
