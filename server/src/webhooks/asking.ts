/** One request to a webhook: signed, bounded in time and bytes, to public addresses, without following anything. */
import type { lookup } from 'node:dns'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { VERSION } from '../version.ts'
import { signatureOf } from './signature.ts'
import { publicLookup, targetOf } from './target.ts'

/** Bytes of an answer that are read, at most. */
const MOST_BYTES = 64 * 1024

export interface Question {
  url: string
  method: 'GET' | 'POST'
  fields: { readonly [name: string]: string }
  /** The same whenever the same event is told again. */
  token: string
  signingToken: string
  /** Milliseconds for all of it, from the name to the last byte. */
  timeout: number
}

export interface WebhookReply {
  status: number
  body: string
}

export class Asking {
  readonly #allowPrivate: boolean
  readonly #http: HttpAgent
  readonly #https: HttpsAgent

  readonly #stopping = new AbortController()
  readonly #asked: (result: 'answered' | 'failed') => void

  /** @param options.resolve for tests, in place of the system's */
  constructor(options: {
    allowPrivateTargets: boolean
    perTarget: number
    asked?: (result: 'answered' | 'failed') => void
    resolve?: typeof lookup
  }) {
    const { allowPrivateTargets, perTarget, asked = () => {}, resolve } = options
    this.#allowPrivate = allowPrivateTargets
    this.#asked = asked
    const agent = {
      keepAlive: true,
      maxSockets: perTarget,
      maxFreeSockets: perTarget,
      timeout: 60_000,
      ...(!allowPrivateTargets && { lookup: publicLookup(resolve) }),
    }
    this.#http = new HttpAgent(agent)
    this.#https = new HttpsAgent(agent)
  }

  /** @throws TargetRefused where no other try can help; any other error when there is no whole answer in time */
  async ask(question: Question): Promise<WebhookReply> {
    try {
      const reply = await this.#ask(question)
      this.#asked('answered')
      return reply
    } catch (error) {
      this.#asked('failed')
      throw error
    }
  }

  async #ask(question: Question): Promise<WebhookReply> {
    const { method, fields, token, signingToken, timeout } = question
    const form = new URLSearchParams(fields).toString()
    const isPost = method === 'POST'
    const url = targetOf(isPost ? question.url : withQuery(question.url, form), this.#allowPrivate)
    url.hash = ''
    const signal = AbortSignal.any([AbortSignal.timeout(timeout), this.#stopping.signal])
    const isSecure = url.protocol === 'https:'
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (isSecure ? httpsRequest : httpRequest)(url, {
        method,
        signal,
        agent: isSecure ? this.#https : this.#http,
        headers: {
          accept: 'application/json, */*;q=0.5',
          'user-agent': `Confab/${VERSION}`,
          'i-twilio-idempotency-token': token,
          'x-twilio-signature': signatureOf(signingToken, url.href, isPost ? fields : {}),
          ...(isPost && {
            'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
            'content-length': Buffer.byteLength(form),
          }),
        },
      })
      request.once('response', resolve)
      request.once('error', reject)
      request.end(isPost ? form : undefined)
    })
    return { status: answer.statusCode ?? 0, body: await bounded(answer) }
  }

  /** Ends what is under way, and connections that are kept for the next request. */
  stop(): void {
    this.#stopping.abort()
    this.#http.destroy()
    this.#https.destroy()
  }
}

function withQuery(url: string, form: string): string {
  const [before = ''] = url.split('#', 1)
  return `${before}${before.includes('?') ? '&' : '?'}${form}`
}

async function bounded(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    // leaving the loop destroys the connection
    if (length > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
