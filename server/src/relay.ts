/** A relay: the store, the engine over it, and the gateway in front, put together and taken apart in order. */
import { CLOSE_CODES, ConfabError, type Operation, type Outcome } from '@confab/core'
import { Accounts } from './accounts/accounts.ts'
import { openSecretBox, type SecretBox } from './accounts/secret-box.ts'
import { webApp } from './app/app.ts'
import { demoTokens } from './app/demo-tokens.ts'
import { authenticator } from './authenticator.ts'
import { Channels } from './channels/channels.ts'
import { channelWebhooks } from './channels/webhooks.ts'
import { createEngine } from './commit/create-engine.ts'
import type { Engine } from './engine.ts'
import { type Gateway, openGateway } from './gateway/gateway.ts'
import type { CommittedOperation, Hooks } from './hooks.ts'
import { type CheckedOptions, checkedOptions, type RelayOptions, refuseWithoutKeys } from './relay-options.ts'
import { restApi } from './rest/api.ts'
import { Authentication } from './rest/authentication.ts'
import { ServiceBook } from './services/service-book.ts'
import { Services } from './services/services.ts'
import { systemClock } from './session/clock.ts'
import { NativeSession } from './session/native-session.ts'
import type { SessionOptions } from './session/session.ts'
import { YjsSession } from './session/yjs-session.ts'
import { openSqliteStore } from './store/sqlite/sqlite-store.ts'
import type { Store } from './store/store.ts'
import { VERSION } from './version.ts'

export interface Relay {
  /** For clients: `ws://host:port`. */
  readonly url: string
  /** The same for HTTP: `/health`. */
  readonly httpUrl: string
  readonly system: {
    /**
     * Does an operation as an actor without an outbox, through the same decision and commit as everybody's.
     * @param document a conversation's sid, or `user/<identity>` for what is said of a person
     * @param source what shows up as its author where one is needed
     */
    submit(serviceSid: string, document: string, operation: Operation, source?: string): Promise<Outcome>
  }
  /**
   * Copies everything as it is at one moment into a new file, while the relay runs.
   * @throws ConfabError 70502 when there is such a file, or it can't be written
   */
  backup(file: string): Promise<void>
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
  const store = openSqliteStore(database)
  const book = new ServiceBook(roles, store.objects)
  const accounts = accountsOf(checked, store)
  const services = new Services(store.objects, systemClock.now)
  try {
    await book.load()
    const { size } = new Set([...Object.keys(accessKeys), ...(await accounts.list()).map(({ sid }) => sid)])
    if (size === 0 && !hooks.authenticate && !checked.openId) refuseWithoutKeys()
  } catch (error) {
    await store.close()
    throw error
  }
  let channels: Channels | null = null
  const engine = createEngine({
    store,
    hooks: checked.channels ? alsoTold(hooks, (committed) => channels?.committed(committed)) : hooks,
    limits,
    book,
    logger: log,
    epochInterval: timing.epoch,
    sealing: checked.sealing,
  })
  const base: Omit<SessionOptions, 'outlet'> = {
    clock: systemClock,
    engine,
    authenticate: authenticator({
      accessKeys,
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
  let gateway: Gateway
  try {
    if (checked.channels) {
      channels = new Channels(checked.channels, { store, engine, log })
      await channels.start()
    }
    gateway = await openGateway({
      ...checked,
      version: VERSION,
      handlers: [
        ...(channels ? [channelWebhooks(channels, log)] : []),
        rest(checked, { store, engine, book, accounts, services }),
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
    await channels?.stop()
    await engine.drain()
    await store.close()
    throw listenError(error, checked)
  }
  const authority = `${hostInUrl(checked.host)}:${gateway.port}`
  log.info({ host: checked.host, port: gateway.port, version: VERSION }, 'listening')

  const close = async () => {
    gateway.stopAccepting()
    await channels?.stop()
    try {
      await engine.drain()
    } finally {
      await gateway.close(CLOSE_CODES.restarting, 'Restarting: come back shortly')
      await store.close()
    }
    log.info({}, 'closed')
  }
  let closed: Promise<void> | null = null
  return {
    url: `ws://${authority}`,
    httpUrl: `http://${authority}`,
    system: {
      submit: (serviceSid, document, operation, source = 'system') =>
        engine.submit(serviceSid, document, operation, source),
    },
    backup: (file) => store.backup(file),
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
  parts: { store: Store; engine: Engine; book: ServiceBook; accounts: Accounts; services: Services },
) {
  const { now } = systemClock
  return restApi({
    relay: { ...parts, limits, now },
    authentication: new Authentication(parts.accounts, now),
    publicUrl,
    log,
  })
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
