/** What must hold after any number of kills. */
import { expect } from 'vitest'
import type { DeviceReport } from './device.ts'
import type { Report } from './kills.ts'
import type { SealingReport } from './sealing.ts'

export function expectNothingLost({ shown, acknowledged, contradictions, written, held }: Report): void {
  expect(held).toEqual([])
  expect(contradictions).toEqual([])
  const [first] = shown
  if (!first) throw new Error('nobody looked')
  const { messages } = first
  // everybody shows the same, and so does who was never there
  for (const view of shown) expect(view, view.who).toEqual({ who: view.who, messages })
  // indices are dense: from 0, each once
  expect(messages.map(({ index }) => index)).toEqual(messages.map((_, i) => i))
  // nothing is doubled, nothing is missing, and each author's messages stand in the order in which they were written
  for (const [author, bodies] of written) {
    expect(messages.filter((message) => message.author === author).map(({ body }) => body)).toEqual(bodies)
  }
  // what anybody was told to be accepted is there, where it was
  const bySid = new Map(messages.map((message) => [message.sid, message]))
  for (const [sid, told] of acknowledged) expect(bySid.get(sid)).toEqual(told)
}

/** The same, where messages were removed meanwhile. */
export function expectLeft({ shown, acknowledged, contradictions, left, held }: SealingReport): void {
  expect(held).toEqual([])
  expect(contradictions).toEqual([])
  const [first] = shown
  if (!first) throw new Error('nobody looked')
  const { messages } = first
  for (const view of shown) expect(view, view.who).toEqual({ who: view.who, messages })
  const indices = messages.map(({ index }) => index)
  expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b))
  for (const [author, bodies] of left)
    expect(messages.filter((message) => message.author === author).map(({ body }) => body)).toEqual(bodies)
  for (const message of messages) expect(acknowledged.get(message.sid)).toEqual(message)
}

export function expectDurablePosts({ results, expected, device, fresh, held, failures }: DeviceReport): void {
  for (const { step, resolved, after } of results) {
    expect(after, step.name).toBe(step.isDurable ? 1 : 0)
    if (resolved) expect(step.isDurable, step.name).toBe(true)
  }
  expect(device).toEqual(expected.map((body, index) => [index, body]))
  expect(fresh).toEqual(device)
  expect(held).toBe(0)
  expect(failures).toEqual([])
}
