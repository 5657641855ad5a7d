import { afterAll, beforeAll, describe, it } from 'vitest'
import { ENDPOINTS } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { throwMutations } from './mutations.ts'

describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
  let relay: TestRelay
  beforeAll(async () => {
    relay = await startRelay()
  })
  afterAll(() => relay?.close())

  it.each([101, 102, 103, 104, 105])('five thousand damaged messages (seed %i)', async (seed) => {
    await throwMutations(relay, { endpoint, layer: 'update', seed, count: 2500 })
    await throwMutations(relay, { endpoint, layer: 'message', seed, count: 2500 })
  })
})
