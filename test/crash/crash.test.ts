import { expect, it } from 'vitest'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { killRelays } from './kills.ts'
import { expectNothingLost } from './sentences.ts'

it.each([
  ['native', native, 4],
  ['yWebsocket', yWebsocket, 2],
] as const)(
  'a relay killed at any moment loses nothing that it acknowledged and doubles nothing, over %s()',
  async (_, transport, kills) => {
    const report = await killRelays({ kills, seed: 1, transport })
    expect(report.acknowledged.size).toBeGreaterThan(10)
    expectNothingLost(report)
  },
  60_000,
)
