import * as encoding from 'lib0/encoding'
import { expect, test } from 'vitest'
import type { Subscriber } from '../engine.ts'
import { Presence } from './presence.ts'

const nobodys = () => undefined
/** A connection of somebody's, of which presence asks nothing but who it is. */
const connection = (identity: string) => ({ principal: { identity } }) as unknown as Subscriber

const present = (clock: number, ...clients: number[]) =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, clients.length)
    for (const client of clients) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, '{"typing":true}')
    }
  })

test('whoever goes through ids without end makes nobody else lose theirs', () => {
  const presence = new Presence()
  const alice = connection('alice')
  presence.receive(alice, present(1, 7), nobodys)
  const gone = connection('alice')
  presence.receive(gone, present(1, 8), nobodys)
  presence.leave(gone)
  let next = 1000
  for (let round = 0; round < 1000; round++) {
    const mallory = connection('mallory')
    const ids = Array.from({ length: 16 }, () => next++)
    expect(presence.receive(mallory, present(1, ...ids), nobodys)).not.toBeNull()
    presence.leave(mallory)
  }
  expect(presence.boundTo(7)).toBe('alice')
  expect(presence.boundTo(8)).toBe('alice')
  expect(presence.receive(connection('mallory'), present(2, 7, 8), nobodys)).toBeNull()
  expect(presence.all(connection('bob'))).toEqual(present(1, 7))
  // and is remembered for no more than the newest of them
  const remembered = Array.from({ length: next - 1000 }, (_, i) => presence.boundTo(1000 + i))
  expect(remembered.filter((identity) => identity !== undefined).length).toBeLessThan(1000)
  expect(presence.boundTo(next - 1)).toBe('mallory')
})

test('ids that are in use stay their owner’s, however many they have used', () => {
  const presence = new Presence()
  const first = connection('alice')
  presence.receive(first, present(1, 7), nobodys)
  for (let id = 1000; id < 3000; id++) {
    const page = connection('alice')
    presence.receive(page, present(1, id), nobodys)
    presence.leave(page)
  }
  expect(presence.boundTo(7)).toBe('alice')
  expect(presence.receive(connection('mallory'), present(2, 7), nobodys)).toBeNull()
})
