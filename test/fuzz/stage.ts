/** Documents with a history, for one person to upload to: what updates aim at. Made once each, never changed. */
import * as Y from 'yjs'
import type { HostileContext } from '../../packages/core/test/hostile-corpus.ts'
import { load, RelayModel, randomCommit, seeded } from '../../packages/core/test/relay-model.ts'
import { upload } from '../../packages/core/test/relay-upload.ts'
import type { Known } from './update-effect.ts'

export const OUTBOX = 'outbox/mallory'
const OTHERS_OUTBOX = 'outbox/ada'

export interface Stage extends Known {
  /** What attacks of the uploader's aim at. */
  aim: HostileContext
  /** Every client id that means something here, the uploader's own first; and one that nobody has. */
  clients: readonly number[]
}

const stages = new Map<number, Stage>()
/** How many there are. The first is a document that doesn't exist. */
export const STAGES = 6

export function stageOf(number: number): Stage {
  const known = stages.get(number)
  if (known) return known
  const made = makeStage(number)
  stages.set(number, made)
  return made
}

function makeStage(number: number): Stage {
  const random = seeded(900 + number)
  const relay = new RelayModel(random.u32)
  const someone = { client: 5, clock: 1 }
  if (number === 0) {
    const aim = { outbox: OUTBOX, fresh: 9, own: someone, victim: { outbox: OTHERS_OUTBOX, ...someone } }
    const map = { root: 'participants', key: 'MB1', ...someone }
    return {
      updates: [],
      knowledge: relay.knowledge(OUTBOX),
      aim: { ...aim, messages: someone, map, operation: { id: 'smuggled' } },
      clients: [9, 5, 1, 0, 0xffff_ffff],
    }
  }
  for (let i = 0; i < 3 * number; i++) randomCommit(relay, random)
  for (let i = 0; i < 3; i++) relay.append('messages', { index: i })
  const [client, clock] = relay.set('participants', 'MB1', { identity: 'ada' })
  relay.commit()
  const write = (outbox: string, count: number): number => {
    const doc = load([...relay.updates, ...(relay.outboxUpdates.get(outbox) ?? [])])
    doc.clientID = random.u32()
    for (let i = 0; i < count; i++) {
      // between the others as often as behind them
      const array = doc.getArray(outbox)
      array.insert(random.int(array.length + 1), [{ id: `${outbox} ${i}` }])
    }
    upload(relay, outbox, Y.encodeStateAsUpdate(doc))
    return doc.clientID
  }
  const own = write(OUTBOX, 2 + number)
  const second = write(OUTBOX, 3)
  const victim = write(OTHERS_OUTBOX, 3)
  const messages = relay.idOf('messages')
  const fresh = random.u32()
  return {
    // as one: it is loaded again and again
    updates: [Y.encodeStateAsUpdate(load([...relay.updates, ...(relay.outboxUpdates.get(OUTBOX) ?? [])]))],
    knowledge: relay.knowledge(OUTBOX),
    aim: {
      outbox: OUTBOX,
      fresh,
      own: { client: own, clock: 2 + number },
      victim: { outbox: OTHERS_OUTBOX, client: victim, clock: 3 },
      messages: { ...messages },
      map: { root: 'participants', key: 'MB1', client, clock },
      operation: { id: 'smuggled' },
    },
    clients: [
      own,
      fresh,
      second,
      (fresh ^ 1) >>> 0,
      (own ^ 1) >>> 0,
      victim,
      messages.client,
      1,
      0xffff_ffff,
    ],
  }
}
