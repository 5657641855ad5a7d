/** A document as these servers' clients make it: records that five people pushed in turn, one transaction each. */
import { UpdateWriter } from '@confab/core'
import { bodyOf, recordOf } from '../load.ts'

const AUTHORS = 5

/** The updates of so many messages, one for each. */
export function* updatesOf(messages: number): Generator<Uint8Array> {
  const writer = new UpdateWriter()
  const clocks = new Array<number>(AUTHORS).fill(0)
  let last: [number, number] | null = null
  for (let i = 0; i < messages; i++) {
    const author = i % AUTHORS
    const clock = clocks[author] as number
    clocks[author] = clock + 1
    const id: [number, number] = [1000 + author, clock]
    writer.append('messages', id, last, recordOf({ conversation: 0, member: author }, bodyOf(i)))
    last = id
    yield writer.finish()
  }
}
