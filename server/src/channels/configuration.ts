/**
 * Channels written down in a file: JSON, read strictly, with secrets given by name of an environment variable or of a
 * file, so that the file itself can be shown to anybody.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { ConfabError, defaultServiceSid } from '@confab/core'
import * as z from 'zod'
import type { Channel } from './channel.ts'
import type { ChannelsOptions } from './channels.ts'
import { email } from './email/email.ts'
import { smpp } from './sms/smpp.ts'
import { twilioMessaging } from './twilio/twilio-messaging.ts'
import { whatsAppCloud } from './whatsapp/cloud.ts'

const text = z.string().min(1)
const secret = z.union([z.strictObject({ env: text }), z.strictObject({ file: text })], {
  error: 'a secret is { "env": "NAME" } or { "file": "path" }, so that it is not in this file',
})
const name = z.string().regex(/^[a-z0-9-]{1,32}$/i)
const port = z.int().min(0).max(65_535)
const positive = z.number().positive()

const channel = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('smpp'),
    name: name.optional(),
    host: text,
    port: port.optional(),
    tls: z.boolean().optional(),
    systemId: text,
    password: secret,
    addresses: z.array(text).min(1),
    window: positive.optional(),
    perSecond: positive.optional(),
  }),
  z.strictObject({
    kind: z.literal('whatsapp-cloud'),
    name: name.optional(),
    phoneNumberId: text,
    address: text,
    accessToken: secret,
    appSecret: secret,
    verifyToken: secret,
    graphUrl: z.url().optional(),
    perSecond: positive.optional(),
  }),
  z.strictObject({
    kind: z.literal('twilio'),
    name: name.optional(),
    type: z.enum(['sms', 'whatsapp']),
    accountSid: text,
    authToken: secret,
    addresses: z.array(text).min(1),
    publicUrl: z.url(),
    apiUrl: z.url().optional(),
    perSecond: positive.optional(),
  }),
  z.strictObject({
    kind: z.literal('email'),
    name: name.optional(),
    addresses: z.array(text).min(1),
    smtp: z.strictObject({
      host: text,
      port: port.optional(),
      secure: z.boolean().optional(),
      user: text.optional(),
      password: secret.optional(),
      plaintext: z.boolean().optional(),
      ca: secret.optional(),
    }),
    mailBytes: positive.optional(),
    attachmentBytes: positive.optional(),
    receive: z
      .union([
        z.strictObject({ smtp: z.strictObject({ port: port.optional(), host: text.optional() }) }),
        z.strictObject({
          imap: z.strictObject({
            host: text,
            port: port.optional(),
            secure: z.boolean().optional(),
            user: text,
            password: secret,
            plaintext: z.boolean().optional(),
            ca: secret.optional(),
            mailbox: text.optional(),
            every: positive.optional(),
          }),
        }),
      ])
      .optional(),
    trustAuthenticationResultsOf: text.optional(),
    acceptUnverified: z.boolean().optional(),
    perSecond: positive.optional(),
  }),
])

const schema = z.strictObject({
  account: text.optional(),
  service: text.optional(),
  channels: z.array(channel).min(1),
  addresses: z
    .array(
      z.strictObject({
        address: text,
        autoCreate: z.union([
          z.literal(false),
          z.strictObject({ friendlyName: text.optional(), identities: z.array(text).min(1) }),
        ]),
      }),
    )
    .optional(),
  naming: z.enum(['group', 'always', 'never']).optional(),
  timeZone: text.optional(),
})

/**
 * The channels that the file describes.
 * @param account the account whose default service they are for, unless the file names a service or an account
 * @throws ConfabError 20001 that says where in the file what is wrong
 */
export function readChannels(path: string, account: string, env: NodeJS.ProcessEnv): ChannelsOptions {
  const wrong = (what: string) => new ConfabError(20001, `${path}: ${what}`)
  const read = (file: string) => {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      throw wrong(`${file} can't be read: ${(error as Error).message}`)
    }
  }
  let given: unknown
  try {
    given = JSON.parse(read(path))
  } catch (error) {
    throw error instanceof ConfabError ? error : wrong(`this is no JSON: ${(error as Error).message}`)
  }
  const parsed = schema.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw wrong(`${issue?.path.join('.') || 'the file'}: ${issue?.message}`)
  }
  const secretOf = (from: z.infer<typeof secret>): string => {
    const value = 'env' in from ? env[from.env] : read(resolve(dirname(path), from.file)).trim()
    if (!value) throw wrong(`the secret ${'env' in from ? from.env : from.file} is not set`)
    return value
  }
  const { service, channels, account: named = account, ...rest } = parsed.data
  return {
    ...defined(rest),
    serviceSid: service ?? defaultServiceSid(named),
    channels: channels.map((one) => channelOf(one, secretOf)),
  }
}

type Described = z.infer<typeof channel>

function channelOf(described: Described, secretOf: (from: z.infer<typeof secret>) => string): Channel {
  switch (described.kind) {
    case 'smpp':
      return smpp(defined({ ...described, password: secretOf(described.password) }))
    case 'whatsapp-cloud': {
      const { accessToken, appSecret, verifyToken } = described
      return whatsAppCloud(
        defined({
          ...described,
          accessToken: secretOf(accessToken),
          appSecret: secretOf(appSecret),
          verifyToken: secretOf(verifyToken),
        }),
      )
    }
    case 'twilio':
      return twilioMessaging(defined({ ...described, authToken: secretOf(described.authToken) }))
    case 'email': {
      const { smtp, receive } = described
      return email(
        defined({
          ...described,
          smtp: defined({
            ...smtp,
            password: smtp.password && secretOf(smtp.password),
            ca: smtp.ca && secretOf(smtp.ca),
          }),
          receive:
            receive && 'imap' in receive
              ? {
                  imap: defined({
                    ...receive.imap,
                    password: secretOf(receive.imap.password),
                    ca: receive.imap.ca && secretOf(receive.imap.ca),
                  }),
                }
              : receive && { smtp: defined(receive.smtp) },
        }),
      )
    }
  }
}

/** Without the keys whose value is undefined: an option that is left out has its default. */
function defined<Shape extends object>(
  shape: Shape,
): { [Key in keyof Shape]: Exclude<Shape[Key], undefined> } {
  return Object.fromEntries(Object.entries(shape).filter(([, value]) => value !== undefined)) as never
}
