import { it } from 'vitest'
import { DEVICE_STEPS, killDevice } from './device.ts'
import { expectDurablePosts } from './sentences.ts'

it.each(['native', 'yWebsocket'] as const)(
  'what a device had made durable when it was killed at any step is posted once, over %s()',
  async (transport) => {
    expectDurablePosts(await killDevice(DEVICE_STEPS, transport))
  },
)
