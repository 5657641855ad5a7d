/** The faults of a network that take their time: proxies that cut after ten seconds, connections that fall silent. */
import { afterEach, expect, it, vi } from 'vitest'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import type { Fault } from '../support/faulty-proxy.ts'
import { postThrough } from './weather.ts'

const DAY = 86_400_000
const NEVER = Number.POSITIVE_INFINITY

/** The provider of y-websocket asks this clock how long it has heard nothing. */
const clock = vi.hoisted(() => {
  const real = Date.now
  const clock = { off: 0 }
  Date.now = () => real() + clock.off
  return clock
})
afterEach(() => {
  clock.off = 0
})

it.each([native, yWebsocket])(
  'nothing is lost or doubled by a proxy that cuts every connection after ten seconds, over %o',
  async (transport) => {
    const faults = Array.from(
      { length: 1000 },
      (): Fault => ({ end: 'cut', after: NEVER, late: 0, lives: 10_000 }),
    )
    await postThrough({
      transport,
      faults,
      heartbeat: 30_000,
      rest: 200,
      enough: ({ outlived }) => outlived >= 9,
    })
  },
  180_000,
)

it.each([0, -DAY])(
  'nothing is lost or doubled when connections of y-websocket fall silent, by a clock that is set by %i ms',
  async (off) => {
    const faults = Array.from({ length: 9 }, (): Fault => ({ end: 'swallow', after: 6000, late: 0 }))
    const posting = postThrough({
      transport: yWebsocket,
      faults,
      heartbeat: 2000,
      rest: 200,
      enough: ({ left, swallowed }) => left === 0 && swallowed > 0 && clock.off === off,
    })
    // every connection is there, and has been heard of
    setTimeout(() => {
      clock.off = off
    }, 1000)
    await posting
    expect(clock.off).toBe(off)
  },
  180_000,
)
