import { expect, it } from 'vitest'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { killRelays } from './kills.ts'
import { expectNothingLost } from './sentences.ts'

it.each([
  ['native', native, 30, 11],
  ['native', native, 30, 12],
  ['native', native, 30, 13],
  ['native', native, 30, 14],
  ['yWebsocket', yWebsocket, 20, 15],
] as const)(
  'over %s() a relay killed again and again loses nothing that it acknowledged and doubles nothing (%#)',
  async (_, transport, kills, seed) => {
    const report = await killRelays({ kills, seed, transport })
    expect(report.acknowledged.size).toBeGreaterThan(100)
    expectNothingLost(report)
  },
)
