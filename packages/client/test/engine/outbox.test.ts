import type { MessagePost } from '@confab/core'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Outbox } from '../../src/engine/outbox.ts'

const post = (n: number, size = 100): MessagePost => ({
  id: n.toString(16).padStart(32, '0'),
  type: 'message.post',
  dateWritten: n,
  body: 'x'.repeat(size),
})

function docOf(clientId: number): { doc: Y.Doc; outbox: Outbox } {
  const doc = new Y.Doc()
  doc.clientID = clientId
  return { doc, outbox: new Outbox(doc, 'alice') }
}

const ids = (doc: Y.Doc) =>
  doc.getArray<MessagePost>('outbox/alice').map((one) => Number.parseInt(one.id, 16))

describe('an upload of the outbox', () => {
  it('comes in parts within the bound, each of which a Y.Doc takes whole, in the order of writing', () => {
    const { doc, outbox } = docOf(7)
    for (let n = 1; n <= 40; n++) outbox.write([post(n)])
    // a second load of the same document goes on under another client id
    const again = docOf(3)
    Y.applyUpdate(again.doc, Y.encodeStateAsUpdate(doc))
    again.outbox.write(Array.from({ length: 40 }, (_, i) => post(41 + i)))
    const parts = again.outbox.encodeAbove(new Map(), 2000)
    expect(parts.length).toBeGreaterThan(4)
    const reader = new Y.Doc()
    reader.getArray('outbox/alice')
    let seen = 0
    for (const part of parts) {
      expect(part.length).toBeLessThan(2300)
      Y.applyUpdate(reader, part)
      expect(reader.store.pendingStructs).toBeNull()
      expect(ids(reader).length).toBeGreaterThan(seen)
      seen = ids(reader).length
    }
    expect(ids(reader)).toEqual(Array.from({ length: 80 }, (_, i) => i + 1))
  })

  it('has only what is above the state vector, and nothing when there is nothing', () => {
    const { doc, outbox } = docOf(7)
    outbox.write([post(1), post(2), post(3)])
    const reader = new Y.Doc()
    for (const part of outbox.encodeAbove(new Map(), 10_000)) Y.applyUpdate(reader, part)
    outbox.write([post(4)])
    const rest = outbox.encodeAbove(new Map([[7, 3]]), 10_000)
    expect(rest).toHaveLength(1)
    for (const part of rest) Y.applyUpdate(reader, part)
    expect(ids(reader)).toEqual([1, 2, 3, 4])
    expect(outbox.encodeAbove(Y.decodeStateVector(Y.encodeStateVector(doc)), 10_000)).toEqual([])
  })

  it('does not bring what was withdrawn', () => {
    const { outbox } = docOf(7)
    outbox.write([post(1), post(2)])
    outbox.write([post(3)], new Set([post(1).id]))
    const reader = new Y.Doc()
    for (const part of outbox.encodeAbove(new Map(), 10_000)) Y.applyUpdate(reader, part)
    expect(ids(reader)).toEqual([2, 3])
    expect(outbox.live()).toEqual(new Set([post(2).id, post(3).id]))
  })

  it('names nothing but the outbox, whatever else the document holds', () => {
    const { doc, outbox } = docOf(7)
    doc.getArray('messages').push([{ sid: 'IM1' }])
    outbox.write([post(1)])
    const { structs } = Y.decodeUpdate(outbox.encodeAbove(new Map([[7, 1]]), 10_000)[0] as Uint8Array)
    expect(structs).toHaveLength(1)
  })
})
