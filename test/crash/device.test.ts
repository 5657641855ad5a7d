import { it } from 'vitest'
import { DEVICE_STEPS, killDevice } from './device.ts'
import { expectDurablePosts } from './sentences.ts'

it('what a device had made durable when it was killed is posted once, and nothing else is', async () => {
  expectDurablePosts(
    await killDevice(
      DEVICE_STEPS.filter(({ isQuick }) => isQuick),
      'native',
    ),
  )
}, 60_000)
