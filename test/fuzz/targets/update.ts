/** The boundary: updates by their grammar and as any bytes, read, judged, and applied by a stock Y.Doc. */
import * as Y from 'yjs'
import {
  type Admission,
  admitUpdate,
  type ParsedUpdate,
  readUpdate,
  type UpdateBounds,
  UpdateViolation,
} from '../../../packages/core/src/update/index.ts'
import { hostileUpdates } from '../../../packages/core/test/hostile-corpus.ts'
import { TEST_BOUNDS } from '../../../packages/core/test/relay-upload.ts'
import { Choices } from '../choices.ts'
import { damaged } from '../damage.ts'
import { STAGES, type Stage, stageOf } from '../stage.ts'
import { Finding, type Target, toHex } from '../target.ts'
import { expectDivisible, expectSameEffect, expectSameReading } from '../update-effect.ts'
import { bytesOfPlan, planOf } from '../update-plan.ts'

const UNBOUNDED: UpdateBounds = { bytes: 2 ** 30, structs: 2 ** 30, jsonDepth: 64 }

/** Null: a violation. Anything else that is thrown is a failure. */
function parse(bytes: Uint8Array, bounds = TEST_BOUNDS): ParsedUpdate | null {
  try {
    return readUpdate(bytes, bounds)
  } catch (error) {
    if (error instanceof UpdateViolation) return null
    throw error
  }
}

function judge(bytes: Uint8Array, stage: Stage, cut: number): Admission | null {
  const copy = bytes.slice()
  const parsed = parse(bytes)
  if (!parsed) return null
  const isReadable = expectSameReading(parsed)
  const admission = admitUpdate(parsed, stage.knowledge)
  if (Buffer.compare(copy, bytes) !== 0) throw new Finding('the bytes were changed')
  if (admission.kind === 'clientTaken') {
    const owner = stage.knowledge.owner(admission.client)
    if (owner !== 'other' && owner !== 'relay') throw new Finding('an id is taken that is free', admission)
  }
  if (admission.kind !== 'admitted') return admission
  if (isReadable) expectSameEffect(stage, parsed, admission)
  // text that isn't any, below what is known: it is passed over
  else if (admission.operations.length > 0) expectKnownPart(parsed, stage)
  if (admission.operations.length > 0)
    expectDivisible(parsed, stage.knowledge, admission, cut % (admission.operations.length + 1))
  return admission
}

function expectKnownPart(parsed: ParsedUpdate, { knowledge }: Stage): void {
  const hasKnown = parsed.blocks.some(({ client, clock }) => clock < knowledge.clock(client))
  if (!hasKnown && parsed.blocks.every(({ structs }) => structs.every(({ kind }) => kind !== 'skip')))
    throw new Finding('operations are taken of what Yjs cannot decode')
}

interface Case {
  stage: Stage
  cut: number
  bytes: Uint8Array
}

function caseOf(input: Uint8Array): Case {
  const choices = new Choices(input)
  const stage = stageOf(choices.int(STAGES))
  const cut = choices.int(256)
  const wounds = choices.once(6) ? 1 + choices.int(2) : 0
  const bytes = bytesOfPlan(planOf(choices, stage))
  return { stage, cut, bytes: wounds > 0 ? damaged(bytes, [], choices, wounds) : bytes }
}

const described = ({ bytes, stage, cut }: Case): string =>
  `the update ${toHex(bytes)} to the stage ${stage.updates.length}, cut at ${cut}: ` +
  JSON.stringify(outcomeOf(bytes, stage))

function outcomeOf(bytes: Uint8Array, stage: Stage): unknown {
  try {
    return admitUpdate(readUpdate(bytes, TEST_BOUNDS), stage.knowledge)
  } catch (error) {
    return String(error)
  }
}

const SOURCES = ['/packages/core/src/update/']

/** By the grammar. */
export const updateTarget: Target = {
  name: 'update',
  about: 'updates made by their grammar: reader and admission, against a stock Y.Doc that is given the same',
  bytes: 300,
  sources: SOURCES,
  run(input) {
    const { bytes, stage, cut } = caseOf(input)
    judge(bytes, stage, cut)
  },
  describe: (input) => described(caseOf(input)),
  magnified(input, times) {
    const choices = new Choices(input)
    const stage = stageOf(choices.int(STAGES))
    choices.int(256)
    choices.once(6)
    const bytes = bytesOfPlan(planOf(choices, stage), times)
    return {
      bytes: bytes.length,
      run() {
        const parsed = parse(bytes, UNBOUNDED)
        if (parsed) admitUpdate(parsed, stage.knowledge)
      },
    }
  },
}

/** The first byte chooses the document, the others are the update. */
const bytesCase = (input: Uint8Array): Case => ({
  stage: stageOf((input[0] ?? 0) % STAGES),
  cut: input[0] ?? 0,
  bytes: input.slice(1),
})

/** Any bytes. */
export const updateBytesTarget: Target = {
  name: 'update-bytes',
  about: 'the same with bytes of any kind, honest and hostile updates among them, damaged',
  bytes: 60,
  sources: SOURCES,
  seeds() {
    const seeds: Uint8Array[] = []
    // one that doesn't exist, and one with a history: the others are a byte away
    for (const number of [0, 3]) {
      const { aim, updates } = stageOf(number)
      const doc = new Y.Doc()
      for (const update of updates) Y.applyUpdate(doc, update)
      doc.clientID = aim.fresh
      doc.getArray(aim.outbox).push([{ id: 'a' }, { id: 'b', text: 'Grüße' }, { list: [1, 1.5, null, true] }])
      doc.getArray(aim.outbox).insert(1, [{ id: 'c' }])
      doc.getArray(aim.outbox).delete(2, 1)
      seeds.push(Uint8Array.of(number, ...Y.encodeStateAsUpdate(doc)))
      for (const { update } of hostileUpdates(aim))
        if (update.length < 400) seeds.push(Uint8Array.of(number, ...update))
    }
    return seeds
  },
  run(input) {
    const { bytes, stage, cut } = bytesCase(input)
    judge(bytes, stage, cut)
  },
  describe: (input) => described(bytesCase(input)),
}
