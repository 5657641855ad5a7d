/** What WhatsApp's Cloud API sends and answers (Meta's "WhatsApp Business Platform", v21.0). Pure. */
import * as z from 'zod'
import { ChannelError, DELIVERY_ERRORS, type InboundMessage, type StatusReport } from '../channel.ts'

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
const media = z.looseObject({ caption: z.string().optional(), filename: z.string().optional() })

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
): { messages: InboundMessage[]; reports: StatusReport[] } {
  const messages: InboundMessage[] = []
  const reports: StatusReport[] = []
  for (const { value } of webhook.entry.flatMap(({ changes }) => changes)) {
    if (value.metadata?.phone_number_id !== phoneNumberId) continue
    for (const message of value.messages ?? []) {
      messages.push({
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
