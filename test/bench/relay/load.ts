/** Posts for a relay: who sends how many to whom. */
import { randomBytes } from 'node:crypto'
import {
  conversationSid,
  defaultServiceSid,
  type Operation,
  type Outcome,
  outboxName,
  UpdateWriter,
  uuidV7,
} from '@confab/core'
import type { Who } from './targets.ts'

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
  /** Posts a second, where the load doesn't wait for what it has sent. */
  rate?: number
}

export interface Figures {
  /** Microseconds of CPU, user and system. */
  cpu: number
  milliseconds: number
}

/** A part of the posts goes ahead unmeasured, so that compiling the relay's own code isn't counted. */
export const WARM_UP = 2
export const warmUpOf = ({ messages }: Load): number => Math.ceil(messages / WARM_UP)

export const ACCOUNT = `AC${'a'.repeat(32)}`
export const AUTH_TOKEN = '7'.repeat(32)
export const SERVICE = defaultServiceSid(ACCOUNT)
export const KEY = 'SKbench'
export const SECRET = 'a secret of the benchmark, long enough'
export const identityOf = (conversation: number, member: number): string => `person-${conversation}-${member}`
/** As the SDK makes them. */
export const freshId = (): string => uuidV7(Date.now(), randomBytes)

const BEFORE = 'Post number '
const DIGITS = 8

export const bodyOf = (number: number): string =>
  `${BEFORE}${String(number).padStart(DIGITS, '0')} of this run`

/** The numbers of the posts whose bodies are in these bytes, in order. */
export function numbersIn(bytes: Buffer): number[] {
  const numbers: number[] = []
  let at = bytes.indexOf(BEFORE)
  while (at >= 0) {
    at += BEFORE.length
    numbers.push(Number(bytes.toString('latin1', at, at + DIGITS)))
    at = bytes.indexOf(BEFORE, at)
  }
  return numbers
}

/** What servers that know nothing of messages are given to keep. */
export const recordOf = ({ conversation, member }: Who, body: string) => ({
  sid: `IM${freshId()}`,
  author: identityOf(conversation, member),
  body,
  dateCreated: 1_700_000_000_000,
})

type Submit = (serviceSid: string, sid: string, operation: Operation, source: string) => Promise<Outcome>

/** Makes conversations and their members; gives the sids. */
export async function setUp(
  { conversations, members }: Pick<Load, 'conversations' | 'members'>,
  submit: Submit,
): Promise<string[]> {
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
  readonly #client: number
  readonly #writer = new UpdateWriter()
  #clock = 0

  constructor(identity: string, client = randomBytes(4).readUInt32LE() || 1) {
    this.#outbox = outboxName(identity)
    this.#client = client
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
