/**
 * The REST API: Twilio's Conversations v1, below `/v1`. From a request to the one route that takes it: who asks, which
 * service, which fields; every failure in Twilio's form of an error.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConfabError, defaultServiceSid, isSid } from '@confab/core'
import { readBody } from '../gateway/body.ts'
import { type HttpHandler, pathOf } from '../gateway/http.ts'
import type { Authentication } from './authentication.ts'
import { Call, type Content, type RestRelay } from './call.ts'
import { openApi, openApiPage } from './openapi.ts'
import { readParameters } from './parameters.ts'
import { matches, type Route } from './route.ts'
import { routes } from './routes.ts'

/** Bytes of a form, percent-encoded: a body and attributes at their longest. */
const FORM_BYTES = 512 * 1024
/** Milliseconds in which nothing comes of content, after which it is given up. */
const SILENCE = 30_000
/** Requests that are being answered at a time, and of them those of one account: it leaves room for the others. */
const MOST = 256
const MOST_OF_ACCOUNT = 128

export interface RestOptions {
  relay: RestRelay
  authentication: Authentication
  /** Where people reach the relay, if that isn't what they ask for by `Host`: `https://relay.example.org`. */
  publicUrl: string | null
  /** Told of each answer; `resource` null: there was no such path, or nobody who may ask. */
  answered?(resource: string | null, status: number): void
  log: {
    info(details: object, message: string): void
    error(details: object, message: string): void
  }
}

interface Prepared extends Route {
  readonly template: readonly string[]
}

const prepared: readonly Prepared[] = routes.map((route) => ({
  ...route,
  template: route.path.split('/').slice(1),
}))

export function restApi(options: RestOptions): HttpHandler {
  let answering = 0
  const ofAccount = new Map<string, number>()
  const enter = (accountSid: string, response: ServerResponse) => {
    const before = ofAccount.get(accountSid) ?? 0
    if (before >= MOST_OF_ACCOUNT) throw tooMany(response)
    ofAccount.set(accountSid, before + 1)
    response.once('close', () => {
      const left = (ofAccount.get(accountSid) ?? 1) - 1
      if (left === 0) ofAccount.delete(accountSid)
      else ofAccount.set(accountSid, left)
    })
  }
  return (request, response) => {
    const path = pathOf(request.url)
    if (path === '/v1/openapi.json') return send(response, 200, openApi(routes))
    if (path === '/v1/docs') return sendPage(response)
    const isOurs = path.startsWith('/v1/') && path !== '/v1/sync'
    if (!isOurs && !path.startsWith('/2010-04-01/')) return false
    const requestId = `RQ${randomUUID().replaceAll('-', '')}`
    response.setHeader('twilio-request-id', requestId)
    if (answering >= MOST) return fail(response, tooMany(response))
    answering++
    response.once('close', () => answering--)
    const began = performance.now()
    let resource: string | null = null
    const entered = (route: Route) => {
      resource = route.resource
    }
    answer(options, request, response, { path, requestId, enter, entered })
      .catch((error: unknown) => {
        // whoever asked has hung up
        if (request.destroyed && !request.complete) return
        const isKnown = error instanceof ConfabError
        if (!isKnown || error.status >= 500) options.log.error({ err: error, requestId }, 'failed: REST')
        if (response.headersSent) response.destroy()
        else fail(response, isKnown ? error : new ConfabError(20500))
      })
      .finally(() => {
        const took = Math.round(performance.now() - began)
        const { method } = request
        options.answered?.(resource, response.statusCode)
        options.log.info({ requestId, method, path, status: response.statusCode, took }, 'REST')
      })
    return true
  }
}

function tooMany(response: ServerResponse): ConfabError {
  response.setHeader('retry-after', '1')
  return new ConfabError(20429)
}

async function answer(
  options: RestOptions,
  request: IncomingMessage,
  response: ServerResponse,
  {
    path,
    requestId,
    enter,
    entered,
  }: {
    path: string
    requestId: string
    enter: (accountSid: string, response: ServerResponse) => void
    entered: (route: Route) => void
  },
): Promise<void> {
  const { authentication, relay } = options
  const from = request.socket.remoteAddress ?? ''
  const who = await authentication.authenticate(request.headers.authorization, from)
  if (who === 'throttled') {
    response.setHeader('retry-after', '60')
    throw new ConfabError(20429, 'Too many requests with wrong credentials: wait a minute')
  }
  if (who === 'refused') {
    response.setHeader('www-authenticate', 'Basic realm="Confab API"')
    throw new ConfabError(20003, 'Authenticate')
  }
  const { accountSid } = who
  enter(accountSid, response)
  const origin = originOf(options, request)
  const located = locate(path, accountSid)
  if (!located) throw new ConfabError(20404, `The requested resource ${path} was not found`)
  const { serviceSid, base } = located
  if (!(await relay.services.has(accountSid, serviceSid))) {
    throw new ConfabError(20404, `The requested resource ${path} was not found`)
  }
  const { route, found } = routeOf(request, response, located, path)
  entered(route)
  const url = new URL(request.url ?? '/', origin)
  const isForm = request.method === 'POST' && route.takes === 'form'
  const given = isForm ? await form(request) : url.searchParams
  const parameters = readParameters(route.parameters, given)
  const call = new Call({
    relay,
    accountSid,
    serviceSid,
    origin,
    base: origin + base,
    url: origin + path,
    query: url.searchParams,
    path: found,
    isWebhookEnabled: String(request.headers['x-twilio-webhook-enabled']).toLowerCase() === 'true',
    content: route.takes === 'content' ? contentOf(request) : null,
  })
  const answered = await route.handle(call, parameters)
  if (isAudited(route)) {
    await relay.store.audit.note({
      at: relay.now(),
      accountSid,
      actor: who.actor,
      act: `${route.method} ${route.resource}`,
      target: path,
      fields: Object.keys(parameters),
      requestId,
    })
  }
  if (route.status === 204) response.writeHead(204).end()
  else if (route.status === 307)
    response.writeHead(307, { location: String(answered), 'cache-control': 'no-store' }).end()
  else send(response, route.status, answered as object)
}

/** What servers do all day long, and no administrator's act, unless something is deleted. */
const EVERYDAY: ReadonlySet<string> = new Set([
  'Conversations',
  'ConversationWithParticipants',
  'Participants',
  'Messages',
  'Users',
  'Users/Conversations',
  'Media',
  // the conversation's own import says enough
  'Imports/Media',
])

const isAudited = ({ method, resource }: Route): boolean =>
  method === 'DELETE' || (method === 'POST' && !EVERYDAY.has(resource))

/** Which service a path is about, and what is behind that. */
interface Located {
  serviceSid: string
  base: string
  parts: string[]
  scope: 'account' | 'service'
}

function locate(path: string, accountSid: string): Located | null {
  const parts = decoded(path)
  if (!parts) return null
  const serviceSid = defaultServiceSid(accountSid)
  if (parts[0] === '2010-04-01') {
    const isOwn = parts[1] === 'Accounts' && parts[2] === accountSid
    const last = parts.length - 1
    return isOwn
      ? {
          serviceSid,
          base: `/2010-04-01/Accounts/${accountSid}`,
          parts: ['2010-04-01', ...parts.slice(3, last), (parts[last] as string).replace(/\.json$/, '')],
          scope: 'account',
        }
      : null
  }
  const [, services, named = '', ...rest] = parts
  if (services === 'Services' && rest.length > 0 && isSid('IS', named)) {
    return { serviceSid: named, base: `/v1/Services/${named}`, parts: rest, scope: 'service' }
  }
  return { serviceSid, base: '/v1', parts: parts.slice(1), scope: 'account' }
}

function decoded(path: string): string[] | null {
  try {
    return path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return null
  }
}

/** @throws ConfabError 20404 when there is no such path; 20004 when it doesn't take this method */
function routeOf(
  request: IncomingMessage,
  response: ServerResponse,
  { parts, scope }: Located,
  path: string,
): { route: Route; found: { [name: string]: string } } {
  const taken: string[] = []
  for (const route of prepared) {
    if (route.scope !== 'both' && route.scope !== scope) continue
    const found = matches(route.template, parts)
    if (!found) continue
    if (route.method === request.method) return { route, found }
    taken.push(route.method)
  }
  if (taken.length === 0) throw new ConfabError(20404, `The requested resource ${path} was not found`)
  response.setHeader('allow', taken.join(', '))
  throw new ConfabError(20004, `${path} does not take ${request.method}`)
}

/** @throws ConfabError 20001 for a body that is no form, or too large (413) */
async function form(request: IncomingMessage): Promise<URLSearchParams> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  const body = await readBody(request, FORM_BYTES)
  if (!body) {
    throw Object.assign(new ConfabError(20001, `A request has at most ${FORM_BYTES} bytes`), { status: 413 })
  }
  if (body.length > 0 && type !== 'application/x-www-form-urlencoded') {
    throw Object.assign(new ConfabError(20001, 'The body must be application/x-www-form-urlencoded'), {
      status: 415,
    })
  }
  return new URLSearchParams(body.toString())
}

/** Comes as long as it comes: the route bounds it, and silence does. */
function contentOf(request: IncomingMessage): Content {
  request.setTimeout(SILENCE, () => request.destroy())
  const { 'content-type': type, 'content-length': length } = request.headers
  return {
    type,
    length: length === undefined ? null : Number(length),
    // whoever sends too much hears so
    pieces: request.iterator({ destroyOnReturn: false }),
  }
}

function originOf({ publicUrl }: RestOptions, { headers }: IncomingMessage): string {
  if (publicUrl !== null) return publicUrl.replace(/\/$/, '')
  // what can't be in a host's name would end up in addresses that are given out
  return /^[\w.:[\]-]{1,255}$/.test(headers.host ?? '') ? `http://${headers.host}` : 'http://localhost'
}

function send(response: ServerResponse, status: number, body: object): true {
  const text = `${JSON.stringify(body)}\n`
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
    })
    .end(text)
  return true
}

function fail(response: ServerResponse, error: ConfabError): true {
  const { code, message, status } = error
  return send(response, status, {
    code,
    message,
    // Twilio explains its own
    more_info: code < 70_000 ? `https://www.twilio.com/docs/errors/${code}` : '/v1/docs#errors',
    status,
  })
}

function sendPage(response: ServerResponse): true {
  response
    .writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'x-content-type-options': 'nosniff',
    })
    .end(openApiPage(routes))
  return true
}
