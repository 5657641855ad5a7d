/** What a relay is made of, and what is said when an option is wrong. */
import {
  ConfabError,
  DEFAULT_LIMITS,
  DEFAULT_ROLES,
  isSid,
  type Limits,
  limitsWith,
  type RestoringFrom,
  type RoleTable,
  rolesRestoring,
} from '@confab/core'
import { pino } from 'pino'
import type { ConfiguredAccounts } from './accounts/accounts.ts'
import { isSealingKey } from './accounts/secret-box.ts'
import type { ChannelsOptions } from './channels/channels.ts'
import { DEFAULT_SEALING, type SealingOptions } from './commit/options.ts'
import { DEFAULT_PORT } from './default-port.ts'
import type { Origins } from './gateway/http.ts'
import type { Hooks } from './hooks.ts'
import { DEFAULT_MEDIA, type MediaOptions } from './media/options.ts'
import type { MetricsOptions } from './metrics/endpoints.ts'
import { checkOpenId, type OpenIdOptions } from './open-id.ts'
import { DEFAULT_TIMING, type Log, type Timing } from './session/session.ts'
import { type AccessKeys, type ConfiguredKeys, isWeakSecret, SECRET_RULE, splitKeys } from './token.ts'
import { DEFAULT_WEBHOOKS, type WebhookOptions } from './webhooks/options.ts'

export interface RelayOptions {
  /** 0 picks a free one; 4455 by default. */
  port?: number
  /** Address to listen on: `127.0.0.1` by default, `0.0.0.0` or `::` for every network. */
  host?: string
  /** A file, made when missing, or `':memory:'`. */
  database: string
  /**
   * Secrets of the API keys that sign access tokens, by the key's sid, each of 32 bytes or more. One with an
   * `accountSid` signs for that account's services, and one without for any. Not needed with an `authenticate` hook.
   */
  accessKeys?: ConfiguredKeys
  /** Accounts that may use the REST API, by sid, each with an auth token of 32 characters or more. None by default. */
  accounts?: ConfiguredAccounts
  /**
   * 64 hex digits: the key under which the secrets of stored accounts and API keys are sealed. By default a file beside
   * the database, made when it is needed.
   */
  sealingKey?: string
  /** Where people reach the relay, for addresses that the REST API gives out: `https://relay.example.org`. */
  publicUrl?: string
  /** An identity provider whose tokens are taken beside access tokens (`OpenIdOptions`). None by default. */
  openId?: OpenIdOptions
  hooks?: Hooks
  /** Ways to people who have no SDK. None by default. */
  channels?: ChannelsOptions
  /** How webhooks are asked and told (`WebhookOptions`); which there are is said by REST. */
  webhooks?: Partial<WebhookOptions>
  /** What is taken of attachments, and where they lie (`MediaOptions`); false: none, and messages that name some are taken as they are. */
  media?: Partial<MediaOptions> | false
  /** Folder of a built web app (with an `index.html`) that is served at the relay's address. None by default. */
  app?: string
  /** For a demo on one machine: mints a token for whatever name a page of the relay's own asks (`/demo/token`). */
  demoTokens?: (identity: string) => Promise<string>
  /** Milliseconds between two looks for messages that are older than they may be. An hour by default. */
  retentionEvery?: number
  /** Where figures for Prometheus are served (`MetricsOptions`). Nowhere by default. */
  metrics?: MetricsOptions
  /** Bounds to replace (`Limits`). */
  limits?: Partial<Limits>
  roles?: RoleTable
  /**
   * Who may bring again what others had written and a restored backup lacks: service admins by default. For a time,
   * after a backup was restored.
   */
  restoringFrom?: RestoringFrom
  /** Pages from which browsers may connect: any by default. No cookies are ever used. */
  origins?: Origins
  /** WebSockets at a time; 10,000 by default. */
  maxConnections?: number
  /** A pino logger, or anything like one; warnings and errors go to stderr by default. */
  logger?: Log
  /** When the oldest messages of a conversation leave its live document (`SealingOptions`); false: never. */
  sealing?: Partial<SealingOptions> | false
  /** Waiting times to replace (`Timing`, milliseconds). */
  timing?: Partial<Timing>
}

export type CheckedOptions = Required<
  Omit<
    RelayOptions,
    | 'accessKeys'
    | 'limits'
    | 'restoringFrom'
    | 'timing'
    | 'logger'
    | 'sealing'
    | 'channels'
    | 'publicUrl'
    | 'sealingKey'
    | 'app'
    | 'demoTokens'
    | 'openId'
    | 'webhooks'
    | 'media'
  >
> & {
  accessKeys: AccessKeys
  keyAccounts: ReadonlyMap<string, string>
  app: string | null
  demoTokens: ((identity: string) => Promise<string>) | null
  channels: ChannelsOptions | null
  publicUrl: string | null
  sealingKey: string | undefined
  openId: OpenIdOptions | null
  sealing: SealingOptions | false
  webhooks: WebhookOptions
  media: Partial<MediaOptions> | false
  limits: Limits
  timing: Timing
  log: Log
}

/** @throws ConfabError 20001 naming the option and what it should be */
export function checkedOptions(options: RelayOptions): CheckedOptions {
  const { port = DEFAULT_PORT, host = '127.0.0.1', maxConnections = 10_000, origins = 'any' } = options
  const { accounts = {}, hooks = {} } = options
  if (!isPort(port)) refuse('port', A_PORT)
  if (typeof host !== 'string' || host === '') refuse('host', 'an address to listen on')
  if (typeof options.database !== 'string' || options.database === '') {
    refuse('database', "a file's path or ':memory:'")
  }
  const { restoringFrom = 'service admins' } = options
  if (!['service admins', 'channel admins', 'members'].includes(restoringFrom)) {
    refuse('restoringFrom', "'service admins', 'channel admins' or 'members'")
  }
  if (!Number.isInteger(maxConnections) || maxConnections < 1)
    refuse('maxConnections', 'a whole number above 0')
  if (origins !== 'any' && !(Array.isArray(origins) && origins.every(isOrigin))) {
    refuse('origins', "'any' or a list of origins such as 'https://example.org'")
  }
  const { accessKeys, keyAccounts } = splitKeys(options.accessKeys ?? {})
  for (const [sid, secret] of Object.entries(accessKeys)) {
    if (typeof secret !== 'string' || isWeakSecret(secret)) refuse(`accessKeys.${sid}`, SECRET_RULE)
  }
  for (const [sid, account] of keyAccounts) {
    if (typeof account !== 'string' || account === '')
      refuse(`accessKeys.${sid}.accountSid`, "an account's sid")
  }
  for (const [sid, account] of Object.entries(accounts)) {
    const { authToken } = account ?? {}
    if (typeof authToken !== 'string' || authToken.length < 32) {
      refuse(
        `accounts.${sid}.authToken`,
        'a text of 32 characters or more: it opens everything that the account has',
      )
    }
  }
  const { retentionEvery = 60 * 60 * 1000 } = options
  if (typeof retentionEvery !== 'number' || !(retentionEvery > 0))
    refuse('retentionEvery', 'a number of milliseconds above 0')
  const { metrics = {} } = options
  if (metrics.port !== undefined && !isPort(metrics.port)) refuse('metrics.port', A_PORT)
  if (metrics.token !== undefined && !(typeof metrics.token === 'string' && metrics.token.length >= 16))
    refuse('metrics.token', 'a text of 16 characters or more')
  if (options.openId) checkOpenId(options.openId)
  if (options.sealingKey !== undefined && !isSealingKey(options.sealingKey))
    refuse('sealingKey', '64 hex digits, such as openssl rand -hex 32 gives')
  if (options.publicUrl !== undefined && !/^https?:$/.test(URL.parse(options.publicUrl)?.protocol ?? '')) {
    refuse('publicUrl', "a URL such as 'https://relay.example.org'")
  }
  checkNumbers('limits', options.limits, DEFAULT_LIMITS)
  if (options.sealing) checkNumbers('sealing', options.sealing, DEFAULT_SEALING)
  checkWebhooks(options.webhooks)
  checkMedia(options.media)
  checkNumbers('timing', options.timing, DEFAULT_TIMING)
  return {
    port,
    host,
    database: options.database,
    accessKeys,
    keyAccounts,
    accounts,
    hooks,
    channels: options.channels ?? null,
    app: options.app ?? null,
    demoTokens: options.demoTokens ?? null,
    publicUrl: options.publicUrl ?? null,
    sealingKey: options.sealingKey,
    openId: options.openId ?? null,
    limits: limitsWith(options.limits),
    roles: rolesRestoring(options.roles ?? DEFAULT_ROLES, restoringFrom),
    origins,
    retentionEvery,
    metrics,
    maxConnections,
    sealing: options.sealing === false ? false : { ...DEFAULT_SEALING, ...options.sealing },
    webhooks: { ...DEFAULT_WEBHOOKS, ...options.webhooks },
    media: options.media ?? {},
    timing: { ...DEFAULT_TIMING, ...options.timing },
    log: options.logger ?? pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
  }
}

const A_PORT = 'a whole number from 0 to 65535'
const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535

function checkWebhooks({
  allowPrivateTargets = false,
  onTimeout = 'publish',
  ...rest
}: Partial<WebhookOptions> = {}) {
  if (typeof allowPrivateTargets !== 'boolean') refuse('webhooks.allowPrivateTargets', 'true or false')
  if (onTimeout !== 'publish' && onTimeout !== 'refuse') refuse('webhooks.onTimeout', "'publish' or 'refuse'")
  checkNumbers('webhooks', rest, DEFAULT_WEBHOOKS)
}

function checkMedia(media: RelayOptions['media']): void {
  if (!media) return
  const { directory = '/', types, services = {}, store, ...rest } = media
  if (typeof directory !== 'string' || directory === '') refuse('media.directory', "a folder's path")
  checkTypes('media.types', types)
  for (const [sid, { types: own, ...bytes }] of Object.entries(services)) {
    if (!isSid('IS', sid)) refuse('media.services', 'limits by the sids of services (IS and 32 hex digits)')
    checkTypes(`media.services.${sid}.types`, own)
    checkNumbers(`media.services.${sid}`, bytes, { maxBytes: 0 })
  }
  if (store !== undefined && (typeof store !== 'object' || typeof store.put !== 'function'))
    refuse('media.store', 'a BlobStore')
  const { types: _, services: __, ...numbers } = DEFAULT_MEDIA
  checkNumbers('media', rest, numbers)
}

function checkTypes(name: string, types: unknown = ['*/*']): void {
  if (
    !Array.isArray(types) ||
    types.length === 0 ||
    !types.every((type) => /^[\w.+*-]+\/[\w.+*-]+$/.test(type))
  )
    refuse(name, "a list of types such as 'image/*' or 'application/pdf'")
}

function checkNumbers(name: string, given: object = {}, known: object): void {
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(known, key)) refuse(`${name}.${key}`, `one of ${Object.keys(known).join(', ')}`)
    if (typeof value !== 'number' || !(value > 0)) refuse(`${name}.${key}`, 'a number above 0')
  }
}

function isOrigin(text: unknown): boolean {
  return typeof text === 'string' && URL.parse(text)?.origin === text
}

/** @throws ConfabError 20001: nobody could ever connect */
export const refuseWithoutKeys = (): never =>
  refuse(
    'accessKeys',
    'at least one API key ({ [keySid]: secret }), unless there is an authenticate hook, or an account, which can make keys',
  )

function refuse(option: string, expected: string): never {
  throw new ConfabError(20001, `${option} must be ${expected}`)
}
