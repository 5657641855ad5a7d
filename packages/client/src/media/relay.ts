/** What is asked of the relay about attachments, over HTTP (docs/attachments.md). */
import { ConfabError, errorFromBody } from '@confab/core'

export interface RelayAccess {
  /** Where the relay answers HTTP, with no slash at the end. */
  url: string
  token(): Promise<string>
}

export type UploadState =
  | { state: 'uploading' | 'checking' | 'ready' }
  | { state: 'refused'; code: number; message: string }

/** Sids in one question for URLs. */
const URLS_AT_ONCE = 100

/** @throws ConfabError what the relay says, 20404 when it can't be reached */
export async function ask(
  { url, token }: RelayAccess,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const headers = { ...(init.headers as object), authorization: `Bearer ${await token()}` }
  let response: Response
  try {
    response = await fetch(url + path, { ...init, headers })
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw new ConfabError(20404, 'The relay can’t be reached', { cause })
  }
  if (!response.ok) throw await errorOf(response)
  return response
}

async function errorOf(response: Response): Promise<ConfabError> {
  const text = await response.text().catch(() => '')
  return errorOfAnswer(response.status, text)
}

/** What an answer says that isn't one of success. */
export function errorOfAnswer(status: number, text: string): ConfabError {
  try {
    const body = JSON.parse(text) as { code?: unknown; message?: unknown }
    if (typeof body.code === 'number')
      return errorFromBody({ code: body.code, message: String(body.message ?? '') || `HTTP ${status}` })
  } catch {
    // a proxy's page
  }
  const code = CODES[status] ?? 20500
  return new ConfabError(code, `The relay answered ${status}`)
}

const CODES: { [status: number]: ConfabError['code'] } = {
  401: 20003,
  403: 20403,
  404: 20404,
  413: 70608,
  415: 70609,
  429: 20429,
  507: 70502,
}

/** How far an attachment of one's own is; null when the relay doesn't know it. */
export async function stateOf(
  relay: RelayAccess,
  sid: string,
  signal: AbortSignal,
): Promise<UploadState | null> {
  try {
    const answer = await (await ask(relay, `/media/${sid}/state`, { signal })).json()
    return answer as UploadState
  } catch (error) {
    if (error instanceof ConfabError && error.status === 404) return null
    throw error
  }
}

/** Not by `URL`: React Native's does little. */
const originOf = ({ url }: RelayAccess): string => /^\w+:\/\/[^/]+/.exec(url)?.[0] ?? url

/** Addresses that end after a while; those that aren't there for this person are left out. */
export async function urlsOf(
  relay: RelayAccess,
  sids: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const urls = new Map<string, string>()
  for (let at = 0; at < sids.length; at += URLS_AT_ONCE) {
    const response = await ask(relay, '/media/urls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sids: sids.slice(at, at + URLS_AT_ONCE) }),
      signal,
    })
    const answer = (await response.json()) as { urls: { [sid: string]: string } }
    for (const [sid, url] of Object.entries(answer.urls))
      urls.set(sid, /^https?:/.test(url) ? url : originOf(relay) + url)
  }
  return urls
}
