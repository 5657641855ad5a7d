/** From a token and an app's options to a running engine, and back again at `shutdown`. */
import { ConfabError } from '@confab/core'
import type { Client } from './client.ts'
import type { ClientOptions, TokenSource } from './client-options.ts'
import { createEngine } from './engine/create.ts'
import type { EngineFactory } from './engine/engine.ts'
import { readTokenClaims } from './engine/token.ts'
import { eventsTo } from './events.ts'
import { logFor } from './log.ts'
import { defaultStorage } from './storage/default.ts'
import { FILES, type Storage } from './storage/storage.ts'
import { Surface } from './surface.ts'
import { native } from './transport/native.ts'
import type { TransportFactory } from './transport/transport.ts'
import type { ConnectionState } from './types.ts'
import type { Users } from './users.ts'

/** Milliseconds after the start, when everything else has begun. */
const PARTS_AFTER = 1000

/** How tests put an engine of their own under a client; not reachable from the package. */
export const SEAMS = Symbol('seams')
export interface Seams {
  createEngine?: EngineFactory
  now?: () => number
}

export class Startup {
  /** Resolves when the client is initialised; rejects when it can't be, or was shut down before. */
  readonly ready: Promise<Surface>
  /** Once there is an engine. */
  surface: Surface | undefined
  /** The newest token; `''` before one was fetched. */
  token: string
  readonly #client: Client
  readonly #source: TokenSource
  readonly #options: ClientOptions & { [SEAMS]?: Seams }
  readonly #storage: Storage
  readonly #users: Users
  #down: Promise<void> | undefined
  /** The connection's state as apps last heard it. */
  #told: ConnectionState = 'unknown'

  constructor(client: Client, source: TokenSource, options: ClientOptions, users: Users) {
    this.#client = client
    this.#source = source
    this.#options = options
    this.#storage = (options.storage as Storage | undefined) ?? defaultStorage()
    this.#users = users
    this.token = typeof source === 'string' ? source : ''
    this.ready = this.#start()
    // whoever calls something hears of it there; nobody may be listening
    this.ready.catch(() => {})
  }

  /** Whether what is stored outlives the process. */
  get isKept(): boolean {
    return this.#storage.kind !== 'memory'
  }

  get connectionState(): ConnectionState {
    return this.surface?.engine.connectionState ?? (this.#down ? 'disconnected' : 'connecting')
  }

  async updateToken(token: string): Promise<void> {
    const surface = await this.ready
    await surface.working().updateToken(token)
    this.token = token
  }

  shutdown(): Promise<void> {
    this.#down ??= this.#stop()
    return this.#down
  }

  /** @throws ConfabError 70501 when storage fails, or can't be emptied */
  async destroy(): Promise<void> {
    await this.ready
    const { owner } = (this.surface as Surface).engine
    await this.shutdown()
    if (!this.#storage.destroy) throw new ConfabError(70501, 'This storage removes nothing')
    await this.#storage.destroy(owner)
  }

  async #stop(): Promise<void> {
    if (!this.surface) return
    await this.surface.close()
    const { engine } = this.surface
    await engine.shutdown()
    // an engine that has stopped tells nothing more
    this.#connectionStateChanged(engine.connectionState)
  }

  #connectionStateChanged(state: ConnectionState): void {
    if (state === this.#told) return
    this.#told = state
    this.#client.emit('connectionStateChanged', state)
  }

  async #start(): Promise<Surface> {
    // events never fire while the constructor runs
    await Promise.resolve()
    try {
      const url = this.#options.url ?? (await this.#urlOfToken())
      if (this.#down) throw new ConfabError(70701)
      this.surface = this.#assemble(url)
    } catch (error) {
      const failure =
        error instanceof ConfabError
          ? error
          : new ConfabError(20500, 'The client failed to start', { cause: error })
      if (!this.#down) this.#failed(failure)
      throw failure
    }
    const { engine } = this.surface
    await engine.ready
    this.#users.identify(this.surface)
    const { surface } = this
    const { attachments } = engine.local
    attachments.onNeeded(() => this.#loadMedia(surface))
    const timer: unknown = setTimeout(() => this.#loadParts(), PARTS_AFTER)
    ;(timer as { unref?(): void }).unref?.()
    return this.surface
  }

  #loadMedia(surface: Surface): void {
    if (!this.#down)
      surface
        .media()
        .catch((error) => logFor(this.#options)('warn', 'Attachments could not be loaded', error))
  }

  #loadParts(): void {
    if (this.#down) return
    void this.#goOnSearching()
    // who asks why nothing is sent may have no network then; a browser remembers what it couldn't import without one
    if (this.connectionState !== 'connected') return
    import('./tools/tools.ts').catch(() => {})
    this.#loadMedia(this.surface as Surface)
  }

  /** Who has searched once has an index, which follows what changes: what was removed must leave it. */
  async #goOnSearching(): Promise<void> {
    const surface = this.surface as Surface
    try {
      if (this.#down || !(await surface.engine.local.pages.list()).some(({ document }) => document === FILES))
        return
      const { searcherOf } = await import('./search/search.ts')
      if (!this.#down) await searcherOf(surface)
    } catch (error) {
      if (!this.#down)
        logFor(this.#options)('warn', 'The search index could not be brought up to date', error)
    }
  }

  #assemble(url: string): Surface {
    const { transport, limits, history, media, identity, [SEAMS]: seams = {} } = this.#options
    const now = seams.now ?? Date.now
    const engine = (seams.createEngine ?? createEngine)({
      url,
      token: () => this.#fetchToken(),
      ...(identity === undefined ? {} : { identity }),
      storage: this.#storage,
      transport: (transport as TransportFactory | undefined) ?? native(),
      ...(limits === undefined ? {} : { limits }),
      ...(history === undefined ? {} : { history }),
      log: logFor(this.#options),
      now,
    })
    const surface = new Surface(this.#client, engine, now, url, media)
    engine.start(
      eventsTo(this.#client, surface, {
        connectionStateChanged: (state) => this.#connectionStateChanged(state),
        initialized: () => {
          this.#client.emit('stateChanged', 'initialized')
          this.#client.emit('initialized')
        },
        initFailed: (error) => this.#failed(error),
        tokenAboutToExpire: () => {
          this.#client.emit('tokenAboutToExpire')
          if (typeof this.#source === 'function') void this.#renew(surface)
        },
        userUpdated: ({ identity }, reasons) => this.#users.changed(identity, reasons),
      }),
    )
    return surface
  }

  /** A failure to renew is no event of its own: the token will expire, and that is one. */
  async #renew(surface: Surface): Promise<void> {
    try {
      const token = await this.#fetchToken()
      await surface.working().updateToken(token)
    } catch (error) {
      logFor(this.#options)('warn', 'no fresh token could be had', error)
    }
  }

  async #fetchToken(): Promise<string> {
    if (typeof this.#source === 'function') this.token = await this.#source()
    return this.token
  }

  async #urlOfToken(): Promise<string> {
    const { url } = readTokenClaims(await this.#fetchToken())
    if (url === undefined) {
      throw new ConfabError(
        20001,
        "Where is the relay? Give the option `url`, or a token that carries the relay's URL",
      )
    }
    return url
  }

  #failed(error: ConfabError): void {
    const { message, status, code } = error
    this.#client.emit('stateChanged', 'failed')
    this.#client.emit('initFailed', {
      error: { terminal: true, message, httpStatusCode: status, errorCode: code },
    })
  }
}
