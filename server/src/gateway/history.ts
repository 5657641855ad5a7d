/** Pages of sealed history over HTTP: `GET /history/<conversation sid>/<hash>` with a bearer token. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { HISTORY_PATH } from '@confab/core'
import { bearerOf, failed, notFound, pathOf } from './http.ts'
import { Places } from './places.ts'

const inflated = promisify(inflate)

/** Requests that are being answered at a time; more are told to come back. */
const MOST = 256
/** Those of one person: a device asks for one page and the next. */
const MOST_OF_ONE = 16

/** Somebody who may ask. */
export interface PageReader {
  /** The same for whatever belongs to one person of one service. */
  readonly name: string
  /** A page, deflated; null when it isn't there for them. */
  page(conversationSid: string, hash: string): Promise<Uint8Array | null>
}

/**
 * Who has this token.
 * @throws ConfabError 20003, 20104 or 20403 for a token that doesn't do
 */
export type PageReaderOf = (token: string) => Promise<PageReader>

export interface HistoryOptions {
  reader: PageReaderOf
  /** Told of failures of the relay's own. */
  failed(error: unknown): void
}

export class HistoryEndpoint {
  readonly #options: HistoryOptions
  readonly #places = new Places(MOST, MOST_OF_ONE)

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /** False: the path is none of these. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const parts = pathOf(request.url).split('/')
    const [, root, sid, hash] = parts
    if (`/${root}` !== HISTORY_PATH || parts.length !== 4 || !sid || !hash || hash.length > 64) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') return false
    this.#answer(request, response, sid, hash).catch((error) => {
      failed(response, error, this.#options.failed)
    })
    return true
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    sid: string,
    hash: string,
  ): Promise<void> {
    this.#places.take(response)
    const reader = await this.#options.reader(bearerOf(request))
    this.#places.takeOwn(reader.name, response)
    const deflated = await reader.page(sid, hash)
    if (!deflated) return notFound(response)
    const isDeflated = takesDeflate(request.headers['accept-encoding'])
    const body = isDeflated ? deflated : await inflated(deflated)
    if (isDeflated) response.setHeader('content-encoding', 'deflate')
    response.appendHeader('vary', 'accept-encoding, authorization')
    response
      .writeHead(200, {
        'content-type': 'application/json; charset=utf-8',
        'content-length': body.length,
        // a hash names the same bytes for ever
        'cache-control': 'private, max-age=31536000, immutable',
      })
      .end(request.method === 'HEAD' ? undefined : body)
  }
}

/** RFC 9110, 12.5.3: named, or by `*`, and not with a weight of 0. */
function takesDeflate(header: string | string[] | undefined): boolean {
  let any = false
  for (const part of String(header ?? '').split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
    const isTaken = !parameters.some((text) => /^q=0(\.0*)?$/.test(text))
    if (name === 'deflate') return isTaken
    if (name === '*') any = isTaken
  }
  return any
}
