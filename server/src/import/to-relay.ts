/** A running relay as what an import goes to: its REST API, asked again when the network or the relay was away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfabError, errorFromBody } from '@confab/core'
import { linesOf } from './exported.ts'
import type { Taken } from './import.ts'
import type { ImportTarget } from './run.ts'

/** Times that something is tried, and milliseconds until the second; each further one waits twice as long. */
const TRIES = 6
const FIRST_WAIT = 500
/** Milliseconds that an answer may take beside what is sent, and bytes of that in a millisecond. */
const PATIENCE = 120_000
const SLOWEST = 10

export interface ToRelay {
  /** `https://relay.example.org`; `ws:` and `wss:` as clients have it are taken, too. */
  url: string
  /** The account's sid, or an API key's. */
  sid: string
  /** Its auth token, or the key's secret. */
  secret: string
  /** The account's default service when left out. */
  service?: string
}

interface PieceAnswer extends Omit<Taken, 'missing'> {
  missing: { message_sid: string; media_sid: string }[]
}

/** @throws ConfabError 20001 for an address that is none */
export function toRelay({ url, sid, secret, service }: ToRelay): ImportTarget {
  const base = baseOf(url)
  const imports = `${base}/v1/${service === undefined ? '' : `Services/${service}/`}Imports`
  const authorization = `Basic ${Buffer.from(`${sid}:${secret}`).toString('base64')}`
  const post = async <Answer>(path: string, body: Blob): Promise<Answer> => {
    for (let tried = 1; ; tried++) {
      const { answer, error, wait } = await asked<Answer>(`${imports}/${path}`, authorization, body)
      if (answer !== undefined) return answer
      if (wait === null || tried === TRIES) throw error
      await sleep(Math.max(wait, FIRST_WAIT * 2 ** (tried - 1)))
    }
  }
  return {
    async take(piece) {
      const { missing, ...taken } = await post<PieceAnswer>(piece.record.sid, new Blob([linesOf(piece)]))
      return {
        ...taken,
        missing: missing.map(({ message_sid, media_sid }) => ({
          messageSid: message_sid,
          mediaSid: media_sid,
        })),
      }
    },
    async attach(conversationSid, { messageSid, mediaSid }, content) {
      const path = `${conversationSid}/Messages/${messageSid}/Media/${mediaSid}`
      return (await post<{ is_new: boolean }>(path, content)).is_new
    },
    async close() {},
  }
}

interface Asked<Answer> {
  answer?: Answer
  error?: Error
  /** Milliseconds until it may be tried again; null: that would change nothing. */
  wait: number | null
}

async function asked<Answer>(url: string, authorization: string, body: Blob): Promise<Asked<Answer>> {
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/octet-stream' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE + Math.ceil(body.size / SLOWEST)),
    })
  } catch (cause) {
    const { message } = ((cause as Error).cause as Error | undefined) ?? (cause as Error)
    const error = new ConfabError(70502, `${new URL(url).origin} can't be reached: ${message}`, { cause })
    return { error, wait: 0 }
  }
  const told: unknown = await response.json().catch(() => null)
  if (response.ok && told !== null) return { answer: told as Answer, wait: null }
  const isPassing = response.status === 429 || response.status >= 500
  const wait = Number(response.headers.get('retry-after') ?? 0) * 1000 || 0
  return { error: errorOf(told, response), wait: isPassing ? wait : null }
}

/** What isn't a relay answers in another form. */
function errorOf(told: unknown, { status, url }: Response): Error {
  const { code, message } = (told ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code === 'number' && typeof message === 'string') {
    if (code === 20003) return new ConfabError(20003, 'The relay knows no such account or key')
    return errorFromBody({ code, message })
  }
  return new ConfabError(20001, `${new URL(url).origin} answers ${status}, and not as a relay does`)
}

function baseOf(url: string): string {
  const { protocol, host, pathname } = URL.canParse(url)
    ? new URL(url)
    : { protocol: '', host: '', pathname: '' }
  const http = { 'ws:': 'http:', 'wss:': 'https:', 'http:': 'http:', 'https:': 'https:' }[protocol]
  if (http === undefined) throw new ConfabError(20001, `${url} is no address of a relay`)
  return `${http}//${host}${pathname.replace(/\/$/, '')}`
}
