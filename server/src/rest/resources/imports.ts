/** `Imports`: what a device exported (`confab export`), taken in: conversations piece by piece, then attachments. */
import { ConfabError } from '@confab/core'
import * as z from 'zod'
import { type Exported, readExported } from '../../import/exported.ts'
import { takeAttachment, takePiece } from '../../import/import.ts'
import type { Call, Content } from '../call.ts'
import { none, text } from '../parameters.ts'
import { type Route, route } from '../route.ts'

/** Bytes of a piece: everybody in a conversation is in one. */
const PIECE_BYTES = 32 * 1024 * 1024
const PIECE_MESSAGES = 1000

const partsOf = ({ relay }: Call) => ({ ...relay, media: relay.media?.media ?? null })

/** @throws ConfabError 20001 that says what is wrong, and in which line */
async function pieceOf(call: Call): Promise<Exported> {
  const lines = await textOf(call.content)
  const piece = (() => {
    try {
      return readExported(lines)
    } catch (error) {
      throw new ConfabError(20001, (error as Error).message)
    }
  })()
  if (piece.record.sid !== call.part('ConversationSid'))
    throw new ConfabError(20001, `line 1: it is of ${piece.record.sid}`)
  if (piece.messages.length > PIECE_MESSAGES)
    throw new ConfabError(20001, `A piece has at most ${PIECE_MESSAGES} messages`)
  return piece
}

/** @throws ConfabError 20001 for too much (413) */
async function textOf(content: Content | null): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of content?.pieces ?? []) {
    bytes += piece.length
    if (bytes > PIECE_BYTES)
      throw Object.assign(new ConfabError(20001, `A piece has at most ${PIECE_BYTES} bytes`), { status: 413 })
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

const path = '/Imports/{ConversationSid}'

export const imports: readonly Route[] = [
  route({
    method: 'POST',
    path,
    resource: 'Imports',
    summary:
      'Takes an exported conversation in, or a piece of one (JSON lines): messages first, its people with the last',
    parameters: none,
    takes: 'content',
    answer: z.object({
      messages: z.int(),
      people: z.int(),
      warnings: z.array(text),
      missing: z.array(z.object({ message_sid: text, media_sid: text })),
    }),
    handle: async (call) => {
      const { missing, ...taken } = await takePiece(partsOf(call), call.serviceSid, await pieceOf(call))
      return {
        ...taken,
        missing: missing.map(({ messageSid, mediaSid }) => ({
          message_sid: messageSid,
          media_sid: mediaSid,
        })),
      }
    },
  }),
  route({
    method: 'POST',
    path: `${path}/Messages/{MessageSid}/Media/{MediaSid}`,
    resource: 'Imports/Media',
    summary: 'Takes the content of an attachment of a message that was imported',
    parameters: none,
    takes: 'content',
    answer: z.object({ is_new: z.boolean() }),
    handle: async (call) => {
      const { content } = call
      const conversationSid = call.sid('CH', call.part('ConversationSid'))
      const attached = {
        messageSid: call.sid('IM', call.part('MessageSid')),
        mediaSid: call.sid('ME', call.part('MediaSid')),
      }
      if (!content) throw new ConfabError(20001)
      const isNew = await takeAttachment(partsOf(call), call.serviceSid, conversationSid, attached, content)
      return { is_new: isNew }
    },
  }),
]
