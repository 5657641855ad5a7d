/** Asks a webhook before something happens: it may let it be, change it, or refuse it. */
import { ConfabError, diffAttributes, isPlainJson, type Json, type Operation } from '@confab/core'
import * as z from 'zod'
import type { BeforeCommitAnswer, OperationRequest } from '../hooks.ts'
import type { WebhookReply } from './asking.ts'

/** Nesting of attributes, at most; the operation has a closer bound of its own. */
const DEPTH = 64

const amendments = z.object({
  body: z.string().optional(),
  author: z.string().optional(),
  attributes: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  friendly_name: z.string().optional(),
})

/**
 * What an answer means for the operation.
 * @throws ConfabError 20001 for JSON that changes nothing that can be changed
 */
export function answerOf(reply: WebhookReply, request: OperationRequest): BeforeCommitAnswer {
  const { status, body } = reply
  if (status >= 400) return { refuse: refusalOf(body) }
  if (status < 200 || status >= 300)
    throw new ConfabError(20001, `HTTP ${status} is no answer to a pre-event`)
  const text = body.trim()
  // TwiML and other pages of a server that has nothing to say
  if (!text.startsWith('{')) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new ConfabError(20001, 'the answer to a pre-event is no JSON')
  }
  const read = amendments.safeParse(parsed)
  if (!read.success) {
    const [issue] = read.error.issues
    throw new ConfabError(20001, `${issue?.path.join('.')} of the answer to a pre-event is of the wrong type`)
  }
  const amended = amend(request, read.data)
  return amended && { amend: amended }
}

/** A refusal may say why; its author is shown that. */
function refusalOf(body: string): string {
  try {
    const { message } = JSON.parse(body)
    if (typeof message === 'string' && message !== '') return message.slice(0, 256).toWellFormed()
  } catch {
    // most say nothing
  }
  return 'Refused by the application'
}

/** Null when there is nothing in it for this operation. */
function amend(
  { operation, state }: OperationRequest,
  { body, author, attributes, friendly_name: friendlyName }: z.infer<typeof amendments>,
): Operation | undefined {
  const given = attributes === undefined ? undefined : jsonOf(attributes)
  let changed: object = {}
  switch (operation.type) {
    case 'message.post':
      changed = { body, author, attributes: given }
      break
    case 'message.edit':
      changed = {
        body,
        attributes:
          given === undefined
            ? undefined
            : diffAttributes(state.message(operation.sid)?.attributes ?? {}, given),
      }
      break
    case 'conversation.create':
      changed = { friendlyName, attributes: given }
      break
    case 'conversation.update':
      changed = {
        friendlyName,
        attributes:
          given === undefined ? undefined : diffAttributes(state.conversation?.attributes ?? {}, given),
      }
      break
    case 'participant.add':
      changed = { attributes: given }
      break
  }
  const entries = Object.entries(changed).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : ({ ...operation, ...Object.fromEntries(entries) } as Operation)
}

function jsonOf(attributes: string | object): Json {
  const parsed: unknown = typeof attributes === 'string' ? JSON.parse(attributes) : attributes
  if (!isPlainJson(parsed, DEPTH)) throw new ConfabError(20001, 'attributes of the answer are no JSON')
  return parsed
}
