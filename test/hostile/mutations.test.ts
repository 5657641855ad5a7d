import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ENDPOINTS } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { type Layer, throwMutations } from './mutations.ts'

const LAYERS: readonly Layer[] = ['update', 'message']

describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
  let relay: TestRelay
  beforeAll(async () => {
    relay = await startRelay()
  })
  afterAll(() => relay?.close())

  it.each(LAYERS)('bytes damaged inside of an %s change nothing of anybody else’s', async (layer) => {
    const ended = await throwMutations(relay, { endpoint, layer, seed: 31, count: 400 })
    expect(ended).toBeGreaterThan(20)
  })
})
