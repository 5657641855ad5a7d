import { it } from 'vitest'
import { killWhileSealing, SEALING_STEPS } from './sealing.ts'
import { expectLeft } from './sentences.ts'

it('a relay killed while it seals, makes pages anew and erases loses and doubles nothing, and keeps no removed text', async () => {
  expectLeft(await killWhileSealing(SEALING_STEPS.filter(({ isQuick }) => isQuick)))
}, 120_000)
