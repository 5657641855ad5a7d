/** Read horizons: the index up to which a participant has read. */
import type { ReadAdvance, ReadSet } from '../operations.ts'
import type { Decision } from '../state.ts'
import { accepted, refused, type Scene } from './verdicts.ts'

/** Forward only, and never beyond what there is: a device may ask with a provisional index. */
export function advance(scene: Scene, operation: ReadAdvance): Decision {
  const { state, standing } = scene
  if (!standing.participant) return refused(50430)
  const index = Math.min(operation.index, state.highestIndex)
  const current = state.read(standing.participant.sid)?.lastReadMessageIndex ?? -1
  return index > current ? put(scene, standing.participant.sid, index) : accepted()
}

/** Anywhere; null, or any index while there are no messages, removes the horizon. */
export function set(scene: Scene, operation: ReadSet): Decision {
  const { state, standing } = scene
  const { participantSid } = operation
  const isOwn = participantSid === undefined || participantSid === standing.participant?.sid
  if (!isOwn && standing.identity !== null) return refused(20403, 'A read horizon belongs to its participant')
  const participant = isOwn ? standing.participant : state.participant(participantSid)
  if (!participant) return refused(isOwn ? 50430 : 50432)
  const index =
    operation.index === null || state.highestIndex < 0 ? null : Math.min(operation.index, state.highestIndex)
  const current = state.read(participant.sid)?.lastReadMessageIndex ?? null
  return index === current ? accepted() : put(scene, participant.sid, index)
}

function put({ context }: Scene, participantSid: string, lastReadMessageIndex: number | null): Decision {
  const record = { participantSid, lastReadMessageIndex, lastReadTimestamp: context.now }
  return accepted({ type: 'read.put', record })
}
