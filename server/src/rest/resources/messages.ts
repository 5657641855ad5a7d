/** `Conversations/Messages` and their `Receipts`. */
import {
  ConfabError,
  diffAttributes,
  type MediaRecord,
  type MessageRecord,
  messageSidOf,
  receiptSid,
} from '@confab/core'
import * as z from 'zod'
import { recordOf } from '../../media/media.ts'
import type { Span } from '../../store/objects.ts'
import type { Call } from '../call.ts'
import { spanOf } from '../in-memory.ts'
import { page } from '../paging.ts'
import { attributes, date, list, none, paging, text } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { messageAnswer, messageShape, receiptAnswer, receiptShape } from '../shapes.ts'

const fields = z.object({
  Author: text.min(1).optional(),
  Body: text.optional(),
  Subject: text.optional(),
  Attributes: attributes.optional(),
  DateCreated: date.optional(),
  DateUpdated: date.optional(),
})
const newFields = fields.extend({
  MediaSid: list(text).optional(),
  ContentSid: text.optional(),
  ContentVariables: text.optional(),
})

const path = '/Conversations/{ConversationSid}/Messages'
const resource = 'Messages'

/** Messages by index, ascending; positions of a list the other way are counted from the end. */
function loader(call: Call, conversationSid: string, highest: number, isDescending: boolean) {
  const read = async (from: number, direction: 'forward' | 'backward', limit: number) => {
    const found: MessageRecord[] = []
    const query = { from, direction, limit }
    for await (const one of call.relay.engine.readMessages(call.serviceSid, conversationSid, query))
      found.push(one)
    return found
  }
  // position 0 is what the list begins with
  const placed = (item: MessageRecord) => ({
    position: isDescending ? highest - item.index : item.index,
    item,
  })
  return async (span: Span, limit: number) => {
    const isBack = span.before !== undefined
    const nearest = isBack ? span.before - 1 : span.after + 1
    const from = isDescending ? highest - nearest : Math.min(nearest, highest + 1)
    if (from < 0) return isDescending && isBack ? (await read(0, 'forward', limit)).map(placed).reverse() : []
    const found = await read(from, isBack === isDescending ? 'forward' : 'backward', limit)
    return (isBack ? found.reverse() : found).map(placed)
  }
}

/**
 * Attachments as they stand in a message of this conversation, and for no other from now on.
 * @throws ConfabError 70606 when there is no such attachment that a server brought, or it is for another message
 */
async function recordsOf(call: Call, conversationSid: string, sids: string[]): Promise<MediaRecord[]> {
  const records: MediaRecord[] = []
  for (const sid of sids) {
    const found = await call.relay.media?.media.ofService(call.serviceSid, sid)
    const isTheirs =
      found?.identity === null && (await call.relay.media?.media.assign(found, conversationSid))
    if (!found || !isTheirs)
      throw new ConfabError(
        70606,
        `The relay does not have ${sid.slice(0, 64).toWellFormed()} for this message`,
      )
    records.push(recordOf(found))
  }
  return records
}

export const messages: readonly Route[] = [
  route({
    method: 'POST',
    path,
    resource,
    summary: 'Posts a message, in the name of anybody',
    parameters: newFields,
    answer: messageAnswer,
    status: 201,
    handle: async (call, { Author: author, Body: body, Subject: subject, Attributes, ...rest }) => {
      const { sid, key } = await call.place()
      if (rest.ContentSid !== undefined)
        throw new ConfabError(20001, 'ContentSid is not supported: templates are a service of Twilio’s')
      const media = await recordsOf(call, sid, rest.MediaSid ?? [])
      const id = call.newId()
      await call.submit(sid, {
        id,
        type: 'message.post',
        ...(body !== undefined && { body }),
        ...(subject !== undefined && { subject }),
        ...(Attributes !== undefined && { attributes: Attributes }),
        ...(author !== undefined && { author }),
        ...(media.length > 0 && { media }),
      })
      const [posted] = await call.relay.store.messages(key, [messageSidOf(id)])
      if (!posted) throw call.notFound()
      return messageShape(call, sid, posted.record)
    },
  }),
  route({
    method: 'GET',
    path,
    resource,
    summary: 'Lists messages, by index in either order',
    parameters: paging.extend({ Order: z.enum(['asc', 'desc']).optional() }),
    answer: messageAnswer,
    list: 'messages',
    handle: async (call, { Order, ...rest }) => {
      const { sid, highestIndex } = await call.place()
      return page(call, 'messages', rest, loader(call, sid, highestIndex, Order === 'desc'), ({ item }) =>
        messageShape(call, sid, item),
      )
    },
  }),
  route({
    method: 'GET',
    path: `${path}/{Sid}`,
    resource,
    summary: 'Fetches a message',
    parameters: none,
    answer: messageAnswer,
    handle: async (call) => {
      const conversation = await call.place()
      return messageShape(call, conversation.sid, await call.message(conversation, 'Sid'))
    },
  }),
  route({
    method: 'POST',
    path: `${path}/{Sid}`,
    resource,
    summary: 'Edits a message: its body, its attributes',
    parameters: fields,
    answer: messageAnswer,
    handle: async (call, { Body: body, Attributes, Author, Subject }) => {
      const conversation = await call.place()
      const before = await call.message(conversation, 'Sid')
      if (Author !== undefined && Author !== before.author) {
        throw new ConfabError(20001, 'Author can’t be changed: a message stays with who wrote it')
      }
      if (Subject !== undefined && Subject !== before.subject)
        throw new ConfabError(20001, 'Subject can’t be changed')
      const changes = {
        ...(body !== undefined && { body }),
        ...(Attributes !== undefined && { attributes: diffAttributes(before.attributes ?? {}, Attributes) }),
      }
      if (Object.keys(changes).length > 0) {
        await call.submit(conversation.sid, { type: 'message.edit', sid: before.sid, ...changes })
      }
      return messageShape(call, conversation.sid, await call.message(conversation, 'Sid'))
    },
  }),
  route({
    method: 'DELETE',
    path: `${path}/{Sid}`,
    resource,
    summary: 'Removes a message for everybody',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const conversation = await call.place()
      const { sid } = await call.message(conversation, 'Sid')
      await call.submit(conversation.sid, { type: 'message.remove', sid })
      return null
    },
  }),
  route({
    method: 'GET',
    path: `${path}/{MessageSid}/Receipts`,
    resource: 'Receipts',
    summary: 'Lists how far a message came, by non-chat participant',
    parameters: paging,
    answer: receiptAnswer,
    list: 'delivery_receipts',
    handle: async (call, given) => {
      const conversation = await call.place()
      const message = await call.message(conversation)
      return page(call, 'delivery_receipts', given, spanOf(message.receipts ?? []), ({ item }) =>
        receiptShape(call, conversation.sid, message, item),
      )
    },
  }),
  route({
    method: 'GET',
    path: `${path}/{MessageSid}/Receipts/{Sid}`,
    resource: 'Receipts',
    summary: 'Fetches how far a message came with one participant',
    parameters: none,
    answer: receiptAnswer,
    handle: async (call) => {
      const conversation = await call.place()
      const message = await call.message(conversation)
      const wanted = call.part('Sid')
      const found = message.receipts?.find(
        ({ participantSid }) => receiptSid(message.sid, participantSid) === wanted,
      )
      if (!found) throw call.notFound()
      return receiptShape(call, conversation.sid, message, found)
    },
  }),
]
