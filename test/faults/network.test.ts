/** People post through a network that cuts, swallows and delays; what they write arrives once, in their order. */
import { it } from 'vitest'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { seeded } from '../../packages/core/test/relay-model.ts'
import type { Fault } from '../support/faulty-proxy.ts'
import { postThrough } from './weather.ts'

/** More than the relay's greeting has: who waits for that is more patient than a heartbeat. */
const GREETED = 4000
const NEVER = Number.POSITIVE_INFINITY

/** What the network does over each transport: y-websocket notices silence after 30 s, which is a long test's. */
const WAYS = [
  { does: 'cuts, swallows and delays', transport: native, swallows: true },
  { does: 'cuts and delays', transport: yWebsocket, swallows: false },
]

function faultsFrom(seed: number, count: number, swallows: boolean): Fault[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => {
    const late = random.int(3) * 5
    return random.int(3) === 0 && swallows
      ? { end: 'swallow', after: GREETED + random.int(2000), late }
      : { end: 'cut', after: random.int(8000), late }
  })
}

it.each(WAYS)(
  'nothing is lost or doubled by a network that $does again and again, over $transport.name',
  async ({ transport, swallows }) => {
    const faults = faultsFrom(1, 12, swallows)
    await postThrough({
      transport,
      faults,
      enough: ({ left, swallowed }) => left === 0 && swallowed > 0 === swallows,
    })
  },
  60_000,
)

it.each([native, yWebsocket])(
  'nothing is lost or doubled by a proxy that cuts every connection after a time, over %o',
  async (transport) => {
    const faults = Array.from(
      { length: 1000 },
      (): Fault => ({ end: 'cut', after: NEVER, late: 0, lives: 250 }),
    )
    await postThrough({ transport, faults, enough: ({ outlived }) => outlived >= 9 })
  },
  60_000,
)
