/** Providers' webhooks at the relay's HTTP: `/channels/<name>`, their bodies bounded, each channel judging its own. */

import { readBody } from '../gateway/body.ts'
import { answer, type HttpHandler, notFound, pathOf } from '../gateway/http.ts'
import type { Channel } from './channel.ts'

/** Bytes. Providers send a few kB, and batches of some hundred. */
const MOST_BYTES = 1024 * 1024
/** Requests that are being answered at a time. */
const MOST_REQUESTS = 64

export const CHANNELS_PATH = '/channels'

export function channelWebhooks(
  channels: { named(name: string): Channel | undefined },
  log: { error(details: object, message: string): void },
): HttpHandler {
  let answering = 0
  return (request, response) => {
    const [, root, name = '', ...rest] = pathOf(request.url).split('/')
    if (`/${root}` !== CHANNELS_PATH) return false
    const channel = rest.length === 0 ? channels.named(name) : undefined
    if (!channel?.webhook) {
      notFound(response)
      return true
    }
    if (answering >= MOST_REQUESTS) {
      response.setHeader('retry-after', '1')
      answer(response, 429, { code: 20429, message: 'Too many requests', status: 429 })
      return true
    }
    answering++
    response.once('close', () => answering--)
    const take = async () => {
      const body = await readBody(request, MOST_BYTES)
      if (!body) {
        answer(response, 413, { code: 20001, message: `At most ${MOST_BYTES} bytes`, status: 413 })
        return
      }
      const { method = '', url = '/' } = request
      const query = new URL(url, 'http://relay').searchParams
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([key, value]) => [key, value?.toString()]),
      )
      const given = await channel.webhook?.({ method, query, headers, body })
      response
        .writeHead(given?.status ?? 404, {
          'content-type': given?.type ?? 'text/plain; charset=utf-8',
          'x-content-type-options': 'nosniff',
          'cache-control': 'no-store',
        })
        .end(given?.body ?? '')
    }
    take().catch((error) => {
      log.error({ err: error, channel: name }, 'a webhook of a channel failed')
      if (response.headersSent) response.destroy()
      // the provider tells it again
      else answer(response, 500, { code: 20500, message: 'It could not be stored', status: 500 })
    })
    return true
  }
}
