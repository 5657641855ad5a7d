/** A relay: the store, the engine over it, and the gateway in front, put together and taken apart in order. */

import { randomBytes } from 'node:crypto'
import { CLOSE_CODES, ConfabError, type Json, type Operation, type Outcome } from '@confab/core'
import { Accounts } from './accounts/accounts.ts'
import { openSecretBox, type SecretBox } from './accounts/secret-box.ts'
import { Administration } from './administration/administration.ts'
import { Retention } from './administration/retention.ts'
import { webApp } from './app/app.ts'
import { demoTokens } from './app/demo-tokens.ts'
import { authenticator } from './authenticator.ts'
import { Channels } from './channels/channels.ts'
import { channelWebhooks } from './channels/webhooks.ts'
import { createEngine } from './commit/create-engine.ts'
import { type Gateway, openGateway } from './gateway/gateway.ts'
import type { CommittedOperation, Hooks } from './hooks.ts'
import { backUp as backUpAlone, type CopiedContent } from './media/backup.ts'
import { isUpload } from './media/endpoints.ts'
import { type OpenMedia, openMedia } from './media/open-media.ts'
import { openWatchPort, watchEndpoints } from './metrics/endpoints.ts'
import type { Metrics } from './metrics/metrics.ts'
import { type CheckedOptions, checkedOptions, type RelayOptions, refuseWithoutKeys } from './relay-options.ts'
import { restApi } from './rest/api.ts'
import { Authentication } from './rest/authentication.ts'
import type { RestRelay } from './rest/call.ts'
import { isContentPath } from './rest/routes.ts'
import { ServiceBook } from './services/service-book.ts'
import { Services } from './services/services.ts'
import { systemClock } from './session/clock.ts'
import { NativeSession } from './session/native-session.ts'
import type { SessionOptions } from './session/session.ts'
import { YjsSession } from './session/yjs-session.ts'
import { openSqliteStore } from './store/sqlite/sqlite-store.ts'
import type { Store } from './store/store.ts'
import { VERSION } from './version.ts'
import { Webhooks } from './webhooks/webhooks.ts'

export interface Relay {
  /** For clients: `ws://host:port`. */
  readonly url: string
  /** The same for HTTP: `/health`. */
  readonly httpUrl: string
  /** Where figures are, when they have a port of their own. */
  readonly metricsUrl: string | null
  readonly system: {
    /**
     * Does an operation as an actor without an outbox, through the same decision and commit as everybody's.
     * @param document a conversation's sid, or `user/<identity>` for what is said of a person
     * @param source what shows up as its author where one is needed
     */
    submit(serviceSid: string, document: string, operation: Operation, source?: string): Promise<Outcome>
  }
  /**
   * Does what the `confab` command asks of a running relay, such as `keys.create`; the names and fields stand in
   * `administration/administration.ts`.
   * @param by who asks, for the audit trail
   * @throws ConfabError 20001 for an act that there isn't, or fields that aren't its
   */
  administer(act: string, fields: Json, by: string): Promise<Json>
  /**
   * Copies everything as it is at one moment into a new file, while the relay runs; content of attachments into
   * `<file>-media`, unless it lies elsewhere than in files.
   * @throws ConfabError 70502 when there is such a file, or it can't be written
   */
  backup(file: string): Promise<CopiedContent>
  /**
   * Drains: takes no more connections and uploads, commits what it has, tells every client to come back later
   * (4500), closes the database. Resolves when nothing of the relay is left. Idempotent.
   */
  close(): Promise<void>
}

/**
 * Starts a relay.
 * @throws ConfabError 20001 for a wrong option or a port that can't be listened on; 70502 when the database can't
 * be opened
 */
export async function createRelay(options: RelayOptions): Promise<Relay> {
  const checked = checkedOptions(options)
  const { accessKeys, database, hooks, limits, log, roles, timing } = checked
  const isWatched = checked.metrics.port !== undefined || checked.metrics.token !== undefined
  const metrics = isWatched ? new (await import('./metrics/metrics.ts')).Metrics() : null
  const opened = openSqliteStore(database)
  const store = metrics?.measured(opened) ?? opened
  const book = new ServiceBook(roles, store.objects)
  const accounts = accountsOf(checked, store)
  const services = new Services(store.objects, systemClock.now)
  let channels: Channels | null = null
  let media: OpenMedia | null = null
  const webhooks = new Webhooks(checked.webhooks, {
    store,
    accounts,
    services,
    sourceOf: (source) => sourceOf(source, channels),
    ...(metrics && { asked: (kind, result) => metrics.webhookAsked(kind, result) }),
    now: systemClock.now,
    after: later,
    log,
  })
  try {
    await Promise.all([book.load(), services.load()])
    await webhooks.book.load()
    const { size } = new Set([...Object.keys(accessKeys), ...(await accounts.list()).map(({ sid }) => sid)])
    if (size === 0 && !hooks.authenticate && !checked.openId) refuseWithoutKeys()
  } catch (error) {
    await store.close()
    throw error
  }
  const engine = createEngine({
    store,
    hooks: alsoTold(hooks, (committed) => {
      channels?.committed(committed)
      if (media && hasRemoved(committed)) media.media.sweep()
    }),
    mediaChecked: checked.media !== false,
    webhooks,
    limits,
    book,
    logger: log,
    epochInterval: timing.epoch,
    sealing: checked.sealing,
  })
  const retention = new Retention({
    store,
    submit: (serviceSid, conversationSid, operation) =>
      engine.submit(serviceSid, conversationSid, operation, 'retention'),
    every: checked.retentionEvery,
    now: systemClock.now,
    random: (bytes) => randomBytes(bytes),
    after: later,
    log,
  })
  const copyDatabase = (file: string) => store.backup(file)
  const backUp = (file: string): Promise<CopiedContent> =>
    media ? media.backUp(file, copyDatabase) : backUpAlone(file, null, copyDatabase)
  const administration = new Administration({
    store,
    backUp,
    accounts,
    retention,
    retry: (tokens) => webhooks.retry(null, tokens),
    now: systemClock.now,
  })
  const base: Omit<SessionOptions, 'outlet'> = {
    clock: systemClock,
    engine,
    authenticate: authenticator({
      accessKeys,
      keyAccounts: checked.keyAccounts,
      hooks,
      limits,
      now: systemClock.now,
      stored: { accounts, services },
      openId: checked.openId,
    }),
    limits,
    timing,
    log,
  }
  let isClosing = false
  const watched = {
    metrics,
    log,
    async isReady() {
      // the database answers
      await store.uniqueNameOwner('', '')
      return !isClosing
    },
  }
  let gateway: Gateway
  let watchPort: Awaited<ReturnType<typeof openWatchPort>> | null = null
  try {
    const { token } = checked.metrics
    if (checked.metrics.port !== undefined) {
      const at = { host: checked.metrics.host ?? checked.host, port: checked.metrics.port }
      watchPort = await openWatchPort(at, watchEndpoints(watched, null))
    }
    if (checked.media !== false) {
      media = await openMedia({
        database,
        options: checked.media,
        store,
        onMediaAdd: hooks.onMediaAdd?.bind(hooks),
        ...(metrics && { figures: metrics.media }),
        authenticate: base.authenticate,
        now: systemClock.now,
        after: later,
        log,
      })
    }
    if (checked.channels) {
      channels = new Channels(checked.channels, {
        store,
        engine,
        log,
        media: media?.media ?? null,
        ...(metrics && { sent: (type, result) => metrics.channelSent(type, result) }),
      })
      await channels.start()
    }
    await webhooks.start()
    gateway = await openGateway({
      ...checked,
      version: VERSION,
      isLong: (path) => isUpload(path) || isContentPath(path),
      handlers: [
        watchEndpoints({ ...watched, metrics: token === undefined ? null : metrics }, token ?? null),
        ...(channels ? [channelWebhooks(channels, log)] : []),
        ...(media ? [media.handler] : []),
        rest(checked, { store, engine, book, accounts, services, webhooks, media }, metrics),
        ...(checked.demoTokens ? [demoTokens(checked.demoTokens)] : []),
        ...(checked.app === null ? [] : [webApp(checked.app)]),
      ],
      pageReader: async (token) => {
        const { principal } = await base.authenticate(token)
        return {
          name: `${principal.serviceSid} ${principal.identity}`,
          page: (sid, hash) => engine.page(principal, sid, hash),
        }
      },
      session: (route, outlet) =>
        route.kind === 'native'
          ? new NativeSession({ ...base, outlet })
          : new YjsSession({ ...base, ...route, outlet }),
    })
  } catch (error) {
    await watchPort?.close()
    metrics?.stop()
    await channels?.stop()
    await webhooks.stop()
    await media?.close()
    await engine.drain()
    await store.close()
    throw listenError(error, checked)
  }
  metrics?.watch({ engine, store, connections: () => gateway.connections, channels: () => channels })
  retention.start()
  const authority = `${hostInUrl(checked.host)}:${gateway.port}`
  log.info({ host: checked.host, port: gateway.port, version: VERSION }, 'listening')

  const close = async () => {
    isClosing = true
    gateway.stopAccepting()
    await channels?.stop()
    await retention.stop()
    try {
      await engine.drain()
      await webhooks.stop()
    } finally {
      await gateway.close(CLOSE_CODES.restarting, 'Restarting: come back shortly')
      await media?.close()
      await watchPort?.close()
      metrics?.stop()
      await store.close()
    }
    log.info({}, 'closed')
  }
  let closed: Promise<void> | null = null
  return {
    url: `ws://${authority}`,
    httpUrl: `http://${authority}`,
    metricsUrl:
      watchPort && `http://${hostInUrl(checked.metrics.host ?? checked.host)}:${watchPort.port}/metrics`,
    system: {
      submit: (serviceSid, document, operation, source = 'system') =>
        engine.submit(serviceSid, document, operation, source),
    },
    administer: (act, fields, by) => administration.do(act, fields, by),
    backup: backUp,
    close: () => (closed ??= close()),
  }
}

function accountsOf({ accounts, database, sealingKey }: CheckedOptions, { objects }: Store): Accounts {
  let opened: SecretBox | null = null
  const box = () => (opened ??= openSecretBox(database, sealingKey))
  return new Accounts({ configured: accounts, objects, box, now: systemClock.now })
}

/** The REST API. */
function rest(
  { limits, publicUrl, log }: CheckedOptions,
  parts: Omit<RestRelay, 'limits' | 'now'>,
  metrics: Metrics | null,
) {
  const { now } = systemClock
  return restApi({
    relay: { ...parts, limits, now },
    authentication: new Authentication(parts.accounts, now),
    publicUrl,
    ...(metrics && { answered: (resource, status) => metrics.answered(resource, status) }),
    log,
  })
}

/** A timer that keeps no process alive. */
function later(milliseconds: number, run: () => void): () => void {
  const timer = setTimeout(run, milliseconds)
  timer.unref()
  return () => clearTimeout(timer)
}

/** What webhooks are told of a system actor: REST, the kind of a channel, or its own name. */
function sourceOf(source: string, channels: Channels | null): string {
  return (source.startsWith('api') ? 'api' : (channels?.named(source)?.type ?? source)).toUpperCase()
}

/** The app's hooks, with somebody else told of commits as well. */
function alsoTold(hooks: Hooks, tell: (committed: CommittedOperation) => void): Hooks {
  return {
    ...hooks,
    afterCommit(committed) {
      tell(committed)
      return hooks.afterCommit?.(committed)
    },
  }
}

/** Whether something went that may have had attachments. */
const hasRemoved = ({ operation: { type } }: CommittedOperation): boolean =>
  type === 'message.remove' || type === 'conversation.delete' || type === 'user.delete'

/** What a client on this machine connects to: "every network" is no address. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

function listenError(error: unknown, { host, port }: CheckedOptions): ConfabError {
  const reasons: { [code: string]: string } = {
    EADDRINUSE: `port ${port} on ${host} is in use`,
    EACCES: `port ${port} on ${host} needs more rights than this process has`,
    EADDRNOTAVAIL: `${host} is no address of this machine`,
    ENOTFOUND: `${host} is no address of this machine`,
  }
  const { code = '', message } = error as NodeJS.ErrnoException
  return new ConfabError(20001, reasons[code] ?? `${host}:${port} can't be listened on: ${message}`, {
    cause: error,
  })
}
