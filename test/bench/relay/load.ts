/** Posts for a relay: who sends how many to whom, and what a run of them gives. */
import { randomBytes } from 'node:crypto'
import { conversationSid, type Operation, type Outcome, outboxName, UpdateWriter } from '@confab/core'

export interface Load {
  name: string
  conversations: number
  members: number
  /** Members of each conversation who post. */
  authors: number
  /** Posts that are measured, after as many again divided by `WARM_UP`. */
  messages: number
  /** Posts on their way at a time. */
  together: number
}

export interface Figures {
  /** Microseconds of CPU, user and system. */
  cpu: number
  milliseconds: number
}

/** Milliseconds from the sending of each measured post until the member who joined last has it, in ascending order. */
export type Latencies = readonly number[]

/** A part of the posts goes ahead unmeasured, so that compiling the relay's own code isn't counted. */
export const WARM_UP = 2
export const warmUpOf = ({ messages }: Load): number => Math.ceil(messages / WARM_UP)

export const SERVICE = `IS${'5'.repeat(32)}`
export const identityOf = (conversation: number, member: number): string => `person-${conversation}-${member}`
const freshId = (): string => randomBytes(16).toString('hex')

type Submit = (serviceSid: string, sid: string, operation: Operation, source: string) => Promise<Outcome>

/** Makes the conversations and their members; gives the sids. */
export async function setUp({ conversations, members }: Load, submit: Submit): Promise<string[]> {
  const make = async (conversation: number): Promise<string> => {
    const nonce = freshId()
    const sid = conversationSid('', nonce)
    const base = { dateWritten: 0 }
    await submit(SERVICE, sid, { ...base, id: freshId(), type: 'conversation.create', nonce }, 'bench')
    for (let member = 0; member < members; member++) {
      const identity = identityOf(conversation, member)
      await submit(SERVICE, sid, { ...base, id: freshId(), type: 'participant.add', identity }, 'bench')
    }
    return sid
  }
  return Promise.all(Array.from({ length: conversations }, (_, conversation) => make(conversation)))
}

/** The uploads of one device: each a post appended to its outbox, as Yjs writes it. */
export class Author {
  readonly #outbox: string
  readonly #client = randomBytes(4).readUInt32LE() || 1
  readonly #writer = new UpdateWriter()
  #clock = 0

  constructor(identity: string) {
    this.#outbox = outboxName(identity)
  }

  post(body: string): { id: string; update: Uint8Array } {
    const clock = this.#clock++
    const origin = clock === 0 ? null : ([this.#client, clock - 1] as const)
    const id = freshId()
    const operation = { id, type: 'message.post', dateWritten: 1_700_000_000_000 + clock, body }
    this.#writer.append(this.#outbox, [this.#client, clock], origin && [...origin], operation)
    return { id, update: this.#writer.finish() }
  }
}

/** Which conversation each post goes to: the same in every run. */
export function* conversationsInTurn(load: Load): Generator<number> {
  const { conversations, messages } = load
  let state = 12_345
  for (let i = warmUpOf(load) + messages; i > 0; i--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    yield (state >>> 8) % conversations
  }
}
