/** What WhatsApp's Cloud API sends and answers (Meta's "WhatsApp Business Platform", v21.0). Pure. */
import * as z from 'zod'
import {
  ChannelError,
  DELIVERY_ERRORS,
  type InboundMessage,
  type MediaRules,
  type StatusReport,
} from '../channel.ts'

const inbound = z.looseObject({
  from: z.string(),
  id: z.string(),
  timestamp: z.coerce.number(),
  type: z.string(),
  text: z.looseObject({ body: z.string() }).optional(),
  button: z.looseObject({ text: z.string() }).optional(),
  interactive: z
    .looseObject({
      button_reply: z.looseObject({ title: z.string() }).optional(),
      list_reply: z.looseObject({ title: z.string() }).optional(),
    })
    .optional(),
  location: z
    .looseObject({ latitude: z.number(), longitude: z.number(), name: z.string().optional() })
    .optional(),
  reaction: z.looseObject({ emoji: z.string().optional() }).optional(),
})
const media = z.looseObject({
  id: z.string().optional(),
  caption: z.string().optional(),
  filename: z.string().optional(),
})

/** A message, and the attachment that it has: the Graph API gives that by its id. */
export interface Told extends InboundMessage {
  attachment?: { id: string; filename?: string }
}

const status = z.looseObject({
  id: z.string(),
  status: z.string(),
  errors: z.array(z.looseObject({ code: z.number() })).optional(),
})

/** One webhook. What is in it beside messages and statuses is none of ours. */
export const webhookSchema = z.looseObject({
  entry: z.array(
    z.looseObject({
      changes: z.array(
        z.looseObject({
          field: z.string(),
          value: z.looseObject({
            metadata: z.looseObject({ phone_number_id: z.string() }).optional(),
            messages: z.array(inbound).optional(),
            statuses: z.array(status).optional(),
          }),
        }),
      ),
    }),
  ),
})
export type Webhook = z.infer<typeof webhookSchema>

const STATUSES = new Map<string, StatusReport['status']>([
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['failed', 'failed'],
])

/** The messages and reports in it that are for this number of ours. */
export function readWebhook(
  webhook: Webhook,
  phoneNumberId: string,
  address: string,
): { messages: Told[]; reports: StatusReport[] } {
  const messages: Told[] = []
  const reports: StatusReport[] = []
  for (const { value } of webhook.entry.flatMap(({ changes }) => changes)) {
    if (value.metadata?.phone_number_id !== phoneNumberId) continue
    for (const message of value.messages ?? []) {
      messages.push({
        ...attachmentOf(message),
        id: message.id,
        from: `whatsapp:+${message.from}`,
        to: address,
        body: bodyOf(message),
        at: message.timestamp * 1000,
      })
    }
    for (const { id, status: word, errors } of value.statuses ?? []) {
      const known = STATUSES.get(word)
      if (!known) continue
      const errorCode = known === 'failed' ? (errors?.[0]?.code ?? DELIVERY_ERRORS.unknown) : undefined
      reports.push({ channelMessageSid: id, status: known, ...(errorCode !== undefined && { errorCode }) })
    }
  }
  return { messages, reports }
}

function attachmentOf(message: z.infer<typeof inbound>): Pick<Told, 'attachment'> {
  const { id, filename } = media.safeParse(message[message.type]).data ?? {}
  if (id === undefined || !ATTACHMENTS.has(message.type)) return {}
  return { attachment: { id, ...(filename !== undefined && { filename }) } }
}

const ATTACHMENTS = new Set(['image', 'video', 'audio', 'document', 'sticker'])

/** What the Graph API says of an attachment (`GET /<id>`). */
export const mediaSchema = z.looseObject({ url: z.url(), mime_type: z.string() })
/** What it answers to one that is put there. */
export const uploadSchema = z.looseObject({ id: z.string() })

const MB = 1024 * 1024
/** Kinds of message by type of content, and bytes of one (Meta's "Supported media types"). */
const KINDS: readonly [kind: 'image' | 'audio' | 'video', types: readonly string[], bytes: number][] = [
  ['image', ['image/jpeg', 'image/png'], 5 * MB],
  ['audio', ['audio/aac', 'audio/amr', 'audio/mpeg', 'audio/mp4', 'audio/ogg'], 16 * MB],
  ['video', ['video/mp4', 'video/3gpp'], 16 * MB],
]
/** Types that go as documents. */
const DOCUMENTS = [
  'text/plain',
  'application/pdf',
  'application/msword',
  'application/vnd.ms-excel',
  'application/vnd.ms-powerpoint',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation',
]

const essenceOf = (contentType: string) => (contentType.split(';', 1)[0] as string).trim().toLowerCase()
const kindRow = (contentType: string) => KINDS.find(([, types]) => types.includes(essenceOf(contentType)))

export const kindOf = (contentType: string) => kindRow(contentType)?.[0] ?? 'document'

export const CARRIES: MediaRules = {
  maxBytes: 100 * MB,
  types: [...KINDS.flatMap(([, types]) => types), ...DOCUMENTS],
  mostOf: (contentType) => kindRow(contentType)?.[2] ?? 100 * MB,
}

/** The message as text: what has none is named, so that nobody misses that something came. */
function bodyOf(message: z.infer<typeof inbound>): string {
  const { type, text, button, interactive, location, reaction } = message
  if (text) return text.body
  if (button) return button.text
  const reply = interactive?.button_reply ?? interactive?.list_reply
  if (reply) return reply.title
  if (location) {
    const { latitude, longitude, name } = location
    return `${name ? `${name}\n` : ''}https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}`
  }
  if (reaction) return reaction.emoji ?? '[reaction removed]'
  const attachment = media.safeParse(message[type])
  const { caption, filename } = attachment.success ? attachment.data : {}
  if (attachmentOf(message).attachment) return caption ?? ''
  const named = `[${filename ?? type}]`
  return caption ? `${caption}\n${named}` : named
}

export const sentSchema = z.looseObject({ messages: z.array(z.looseObject({ id: z.string() })).min(1) })
const failureSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), message: z.string() }),
})

/** Codes after which another try may help: throttled, overloaded, and a token that an operator has to renew. */
const TEMPORARY = new Set([1, 2, 4, 190, 80007, 130429, 131000, 131016, 131048, 131056, 133004])

/** What an answer that is no success means. */
export function failureOf(status: number, body: unknown, retryAfter: number | undefined): ChannelError {
  const parsed = failureSchema.safeParse(body)
  const { code, message } = parsed.success
    ? parsed.data.error
    : { code: DELIVERY_ERRORS.unknown, message: `WhatsApp answered ${status}` }
  const isTemporary = parsed.success ? TEMPORARY.has(code) : status === 429 || status >= 500
  return new ChannelError(isTemporary ? 'temporary' : 'permanent', code, message, {
    ...(retryAfter !== undefined && { retryAfter }),
  })
}
