/** `Media`: attachments of a service, as Twilio's Media Content Service has them. Content comes and goes as it is. */
import { ConfabError } from '@confab/core'
import * as z from 'zod'
import { cleanType } from '../../media/content-types.ts'
import type { StoredMedia } from '../../store/media.ts'
import type { Call } from '../call.ts'
import { none, text } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { mediaAnswer, mediaShape } from '../shapes.ts'

const resource = 'Media'

/** @throws ConfabError 20404 */
function mediaOf(call: Call): NonNullable<Call['relay']['media']> {
  if (!call.relay.media) throw call.notFound()
  return call.relay.media
}

/** @throws ConfabError 20404 */
async function found(call: Call): Promise<StoredMedia> {
  const media = await mediaOf(call).media.ofService(call.serviceSid, call.sid('ME', call.part('Sid')))
  if (!media) throw call.notFound()
  return media
}

const directOf = (call: Call, media: StoredMedia): string => call.origin + mediaOf(call).pathOf(media)
const shown = (call: Call, media: StoredMedia) => mediaShape(call, media, directOf(call, media))

export const media: readonly Route[] = [
  route({
    method: 'POST',
    path: '/Media',
    resource,
    summary: 'Takes the body, of any content type, as an attachment for a message of the service',
    parameters: z.object({
      Filename: text.max(1024).optional(),
      Category: z.enum(['media', 'body', 'history']).optional(),
    }),
    takes: 'content',
    answer: mediaAnswer,
    status: 201,
    handle: async (call, { Filename: filename = null, Category: category = 'media' }) => {
      const { content } = call
      const contentType = cleanType(content?.type)
      if (!content || contentType === null)
        throw new ConfabError(20001, 'Content-Type must say of what type the content is')
      const { media } = mediaOf(call)
      const brought = { serviceSid: call.serviceSid, category, filename, contentType }
      return shown(call, await media.bring(brought, content.pieces, content.length))
    },
  }),
  route({
    method: 'GET',
    path: '/Media/{Sid}',
    resource,
    summary: 'Fetches what is known of an attachment, and where its content is',
    parameters: none,
    answer: mediaAnswer,
    handle: async (call) => shown(call, await found(call)),
  }),
  route({
    method: 'GET',
    path: '/Media/{Sid}/Content',
    resource,
    summary: 'Leads to the content of an attachment, at an address that is good for an hour',
    parameters: none,
    answer: null,
    status: 307,
    handle: async (call) => directOf(call, await found(call)),
  }),
  route({
    method: 'DELETE',
    path: '/Media/{Sid}',
    resource,
    summary: 'Deletes an attachment that no message has',
    parameters: none,
    answer: null,
    handle: async (call) => {
      if (!(await mediaOf(call).media.withdraw(await found(call))))
        throw new ConfabError(20403, 'A message has this attachment: remove that')
      return null
    },
  }),
]
