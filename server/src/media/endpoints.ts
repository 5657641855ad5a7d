/** The HTTP of attachments below `/media` (docs/attachments.md): who asks, whether it is theirs, and what they get. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { ConfabError, isSid } from '@confab/core'
import { create as contentDisposition } from 'content-disposition'
import * as z from 'zod'
import type { Principal } from '../engine.ts'
import { readBody } from '../gateway/body.ts'
import { answer, bearerOf, failed, type HttpHandler, notFound, pathOf } from '../gateway/http.ts'
import { Places } from '../gateway/places.ts'
import type { StoredMedia } from '../store/media.ts'
import type { ByteRange } from './blobs.ts'
import { isShown } from './content-types.ts'
import type { Asker, Media, MediaFigures } from './media.ts'
import { CONFLICT, UPLOADS_PATH, type Uploads } from './uploads.ts'
import type { UrlTokens } from './url-tokens.ts'

/** Requests that are answered at a time, of everybody together. */
const MOST = 1024
/** Milliseconds of silence after which a request is given up. */
const SILENCE = 30_000
/** Bytes of a list of sids. */
const LIST_BYTES = 16 * 1024

const TUS = [
  'tus-resumable',
  'upload-length',
  'upload-metadata',
  'upload-offset',
  'x-http-method-override',
  'x-requested-with',
]

export interface EndpointsOptions {
  media: Media
  uploads: Uploads
  tokens: UrlTokens
  /** Who has this access token. */
  authenticate(token: string): Promise<{ principal: Principal }>
  /** Requests of one person that are answered at a time. */
  maxRequests: number
  /** Milliseconds. */
  urlExpiry: number
  figures?: MediaFigures
  now(): number
  log: { error(details: object, message: string): void }
}

/** A request whose body may take as long as it likes, as long as something comes. */
export const isUpload = (path: string): boolean =>
  path === UPLOADS_PATH || path.startsWith(`${UPLOADS_PATH}/`)

export function mediaEndpoints(options: EndpointsOptions): HttpHandler {
  const places = new Places(MOST, options.maxRequests)
  const report = (error: unknown) => options.log.error({ err: error }, 'failed: attachments')
  return (request, response) => {
    const path = pathOf(request.url)
    if (path !== '/media' && !path.startsWith('/media/')) return false
    response.setHeader(
      'access-control-expose-headers',
      'location, tus-resumable, upload-offset, upload-length, upload-expires, content-range, etag',
    )
    if (request.method === 'OPTIONS') {
      response
        .setHeader('access-control-allow-methods', 'GET, HEAD, POST, PATCH, DELETE')
        .setHeader('access-control-allow-headers', ['authorization, content-type, range', ...TUS].join(', '))
        .setHeader('access-control-max-age', '86400')
        .writeHead(204)
        .end()
      return true
    }
    request.setTimeout(SILENCE, () => request.destroy())
    new MediaRequest(options, places, request, response).answer(path).catch((error) => {
      // whoever asked has hung up
      if (request.destroyed && !request.complete) return
      if (error instanceof ConfabError) options.figures?.refused(error.code)
      failed(response, error, report)
    })
    return true
  }
}

class MediaRequest {
  readonly #options: EndpointsOptions
  readonly #places: Places
  readonly #request: IncomingMessage
  readonly #response: ServerResponse

  constructor(options: EndpointsOptions, places: Places, request: IncomingMessage, response: ServerResponse) {
    this.#options = options
    this.#places = places
    this.#request = request
    this.#response = response
  }

  async answer(path: string): Promise<void> {
    this.#places.take(this.#response)
    const method = this.#request.method ?? ''
    const [, , first = '', second, ...rest] = path.split('/')
    if (isUpload(path)) return this.#upload(method, second, rest.length > 0)
    if (first === 'urls' && second === undefined && method === 'POST') return this.#urls()
    const isReading = method === 'GET' || method === 'HEAD'
    if (!isSid('ME', first) || rest.length > 0 || !isReading) return notFound(this.#response)
    if (second === 'state') return this.#state(first)
    if (second === undefined) return this.#content(first)
    notFound(this.#response)
  }

  async #principal(): Promise<Principal> {
    const { principal } = await this.#options.authenticate(bearerOf(this.#request))
    this.#places.takeOwn(nameOf(principal), this.#response)
    return principal
  }

  // ── uploads ───────────────────────────────────────────────────────────────────────────────────────

  async #upload(method: string, id: string | undefined, isDeeper: boolean): Promise<void> {
    const { media, uploads } = this.#options
    const principal = await this.#principal()
    if (isDeeper) return notFound(this.#response)
    if (id === undefined) {
      if (method === 'POST') return uploads.handle(this.#request, this.#response, principal)
      return notFound(this.#response)
    }
    const found = await media.ofUpload(id)
    if (!found || !isOf(found, principal)) return notFound(this.#response)
    switch (method) {
      case 'HEAD':
        if (await this.#isTaken(found, id)) return this.#offset(found)
        return uploads.handle(this.#request, this.#response, principal)
      case 'PATCH':
        if (found.state !== 'uploading') return this.#beyond(found)
        return uploads.handle(this.#request, this.#response, principal)
      case 'DELETE':
        if (!(await media.withdraw(found))) throw new ConfabError(20403, 'A message has this attachment')
        this.#response.writeHead(204, { 'tus-resumable': '1.0.0' }).end()
        return
      default:
        notFound(this.#response)
    }
  }

  /** Whether all of it is here. Its last answer may have been lost with the relay that gave it. */
  async #isTaken(media: StoredMedia, id: string): Promise<boolean> {
    if (media.state !== 'uploading') return true
    if (!(await this.#options.uploads.isWhole(id))) return false
    if (!(await this.#options.uploads.finish(id))) throw new ConfabError(20404)
    return true
  }

  /** Another piece of what is whole: nothing at its end, or for a place that it is past. */
  #beyond(media: StoredMedia): void {
    const { 'upload-offset': offset, 'content-length': length } = this.#request.headers
    if (offset === String(media.size) && length === '0')
      this.#response.writeHead(204, { 'tus-resumable': '1.0.0', 'upload-offset': offset }).end()
    else answer(this.#response, CONFLICT.status, CONFLICT.body)
  }

  #offset({ size }: StoredMedia): void {
    this.#response
      .writeHead(200, {
        'tus-resumable': '1.0.0',
        'upload-offset': String(size),
        'upload-length': String(size),
        'cache-control': 'no-store',
      })
      .end()
  }

  async #state(sid: string): Promise<void> {
    const { media, uploads } = this.#options
    let own = await media.own(await this.#principal(), sid)
    if (own?.state === 'uploading' && own.upload && (await uploads.isWhole(own.upload)))
      own = await uploads.finish(own.upload)
    if (!own) return notFound(this.#response)
    answer(this.#response, 200, { state: own.state, ...own.refusal })
  }

  // ── content ───────────────────────────────────────────────────────────────────────────────────────

  async #urls(): Promise<void> {
    const { media, tokens, now, urlExpiry } = this.#options
    const principal = await this.#principal()
    const body = await readBody(this.#request, LIST_BYTES)
    if (!body) throw new ConfabError(20001, `A list of sids has at most ${LIST_BYTES} bytes`)
    const sids = sidsOf(body)
    const expires = now() + urlExpiry
    const urls: { [sid: string]: string } = {}
    for (const sid of sids) {
      if (!(await media.visible(principal, sid))) continue
      const { serviceSid, identity } = principal
      urls[sid] = tokens.path({ serviceSid, sid, identity, expires })
    }
    answer(this.#response, 200, { urls, expires })
  }

  async #content(sid: string): Promise<void> {
    const { media, log } = this.#options
    const found = await media.visible(await this.#asker(sid), sid)
    if (!found) return notFound(this.#response)
    const etag = `"${found.hash}"`
    this.#describe(found, etag)
    if (isNamed(etag, this.#request.headers['if-none-match'])) {
      this.#response.writeHead(304).end()
      return
    }
    const range = this.#range(found, etag)
    if (range === null) {
      this.#response.writeHead(416, { 'content-range': `bytes */${found.size}` }).end()
      return
    }
    const { start, end } = range ?? { start: 0, end: found.size - 1 }
    const length = end - start + 1
    if (this.#request.method === 'HEAD') {
      this.#response.writeHead(200, { 'content-length': length }).end()
      return
    }
    // a stream of nothing has no range
    const content = await media.read(found, length > 0 ? { start, end } : undefined)
    if (!content) {
      log.error({ media: sid }, 'the content of an attachment is not where it was')
      for (const name of this.#response.getHeaderNames())
        if (!name.startsWith('access-control')) this.#response.removeHeader(name)
      return notFound(this.#response)
    }
    if (range) this.#response.setHeader('content-range', `bytes ${start}-${end}/${found.size}`)
    this.#response.writeHead(range ? 206 : 200, { 'content-length': length })
    try {
      await pipeline(content, this.#response)
      this.#options.figures?.given(length)
    } catch {
      // whoever hangs up has what they have
    }
  }

  /** Who asks: by an access token, or by an address that was given to them. */
  async #asker(sid: string): Promise<Asker> {
    const { tokens, now } = this.#options
    const token = new URLSearchParams(this.#request.url?.split('?')[1]).get('token')
    // whoever was led here from the REST API may bring what they had for that
    if (token === null) return this.#principal()
    const grant = tokens.read(token, now())
    if (grant?.sid !== sid) throw new ConfabError(20003, 'This address has ended, or never was one')
    if (grant.identity !== null) this.#places.takeOwn(nameOf(grant), this.#response)
    return grant
  }

  #describe({ contentType, filename }: StoredMedia, etag: string): void {
    const type = isShown(contentType) ? 'inline' : 'attachment'
    this.#response
      .setHeader('content-type', contentType)
      .setHeader('content-disposition', contentDisposition(filename ?? undefined, { type }))
      .setHeader('etag', etag)
      .setHeader('accept-ranges', 'bytes')
      // it is asked each time whether they may still have it
      .setHeader('cache-control', 'private, no-cache')
      .setHeader('x-content-type-options', 'nosniff')
      .setHeader('content-security-policy', "default-src 'none'; sandbox")
      .setHeader('cross-origin-resource-policy', 'cross-origin')
      .setHeader('referrer-policy', 'no-referrer')
  }

  /** Undefined: all of it; null: none of it is there. */
  #range({ size }: StoredMedia, etag: string): ByteRange | null | undefined {
    const { range, 'if-range': condition } = this.#request.headers
    if (range === undefined || this.#request.method === 'HEAD') return undefined
    if (condition !== undefined && condition !== etag) return undefined
    return rangeOf(range, size)
  }
}

const nameOf = ({ serviceSid, identity }: Asker): string => `${serviceSid} ${identity}`

const isOf = (media: StoredMedia, { serviceSid, identity }: Principal): boolean =>
  media.serviceSid === serviceSid && media.identity === identity

const isNamed = (etag: string, header = ''): boolean =>
  header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)

/** One range, as RFC 9110 has it. Undefined: another form, which may be ignored; null: outside of what there is. */
export function rangeOf(header: string, size: number): ByteRange | null | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header.trim()) ?? []
  if (from === '' && to === '') return undefined
  if (from === '') {
    const length = Math.min(Number(to), size)
    return length === 0 ? null : { start: size - length, end: size - 1 }
  }
  const start = Number(from)
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (to !== '' && Number(to) < start) return undefined
  return start >= size ? null : { start, end }
}

const list = z.object({ sids: z.array(z.string().refine((sid) => isSid('ME', sid))).max(100) })

/** @throws ConfabError 20001 */
function sidsOf(body: Buffer): string[] {
  let given: unknown
  try {
    given = JSON.parse(body.toString())
  } catch {
    given = null
  }
  const read = list.safeParse(given)
  if (!read.success) throw new ConfabError(20001, 'sids must be a list of 100 sids of attachments at most')
  return read.data.sids
}
