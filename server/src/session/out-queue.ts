import { changesMessage, type DownFrame, FrameBatch, type Outcome } from '@confab/core'

/**
 * Frames that wait for the end of the turn, to leave in one WebSocket message. They wait as frames and not as
 * bytes, because a removal takes back what it finds here.
 */
export class OutQueue {
  #frames: DownFrame[] = []
  #isAsked = false

  get isEmpty(): boolean {
    return this.#frames.length === 0
  }

  /** Whether the reader asked for any of it. */
  get isAsked(): boolean {
    return this.#isAsked
  }

  push(frame: DownFrame, asked = false): void {
    this.#frames.push(frame)
    this.#isAsked ||= asked
  }

  /** Drops what was to be shown of a document, but for what became of this reader's own operations. */
  withdraw(channel: number): void {
    this.#frames = this.#frames.flatMap((frame) =>
      'channel' in frame && frame.channel === channel ? outcomesOnly(frame) : [frame],
    )
  }

  take(): Uint8Array[] {
    const frames = this.#frames
    this.#frames = []
    this.#isAsked = false
    const [first] = frames
    if (frames.length === 1 && first?.type === 'changes') return [changesMessage(first)]
    const batch = new FrameBatch()
    for (const frame of frames) batch.add(frame)
    return batch.take()
  }
}

/** What may still be said in place of a frame whose document was lost: nothing that the document holds. */
export function outcomesOnly(frame: DownFrame): DownFrame[] {
  switch (frame.type) {
    case 'snapshot':
    case 'changes':
      return outcomesFrame(frame.channel, frame.outcomes)
    case 'awareness':
    case 'request':
      return []
    case 'page':
      return [{ ...frame, deflated: false, bytes: new Uint8Array(0) }]
    default:
      return [frame]
  }
}

/** The outcomes in a frame of their own; nothing for none. */
export function outcomesFrame(channel: number, outcomes: Outcome[]): DownFrame[] {
  return outcomes.length > 0 ? [{ type: 'outcomes', channel, outcomes }] : []
}
