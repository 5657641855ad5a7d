/** All targets, in the order in which they run. */
import type { Target } from './target.ts'
import { historyTarget } from './targets/history.ts'
import { operationTarget } from './targets/operation.ts'
import { relayTarget } from './targets/relay.ts'
import { updateBytesTarget, updateTarget } from './targets/update.ts'
import { wireTarget } from './targets/wire.ts'
import { writerTarget } from './targets/writer.ts'

export const TARGETS: readonly Target[] = [
  updateTarget,
  updateBytesTarget,
  historyTarget,
  writerTarget,
  wireTarget,
  operationTarget,
  relayTarget,
]
