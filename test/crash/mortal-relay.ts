/**
 * A relay in a process of its own that ends itself at a moment it is told of: at its start by the second argument, or
 * later by a message. The second argument also says how far its clock is ahead.
 */
import { dieAt } from './kill-points.ts'
import type { Moment } from './moments.ts'

export interface Fate {
  moment?: Moment
  /** Milliseconds. */
  ahead?: number
}

const { moment, ahead = 0 }: Fate = JSON.parse(process.argv[3] ?? '{}')
const systemNow = Date.now
Date.now = () => systemNow() + ahead
if (moment) dieAt(moment)
process.on('message', (message: { dieAt?: Moment }) => {
  if (!message.dieAt) return
  dieAt(message.dieAt)
  process.send?.({ type: 'armed' })
})

await import('../support/relay-child.ts')
