/** A gigabyte through a relay in a process of its own, each way that there is, and what memory that takes. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Conversation } from '@confab/client'
import { defaultServiceSid } from '@confab/core'
import { expect, test } from 'vitest'
import { ACCOUNT, relayOptions } from '../support/relay.ts'
import { runRelay } from '../support/relay-process.ts'
import { httpOf, newFolder, newMediaSid } from './relay-stage.ts'
import { bytesOf, clientOf, together, whenDone } from './stage.ts'

const MEGABYTE = 1024 * 1024
const MEGABYTES = 1024
const SIZE = MEGABYTES * MEGABYTE
const TOKEN = 'f'.repeat(32)

const PIECE = bytesOf(MEGABYTE)
/** Different ones, of which only one is in memory. */
function* pieces(from = 0, to = MEGABYTES) {
  for (let at = from; at < to; at++) {
    const piece = Buffer.from(PIECE)
    piece.writeUInt32BE(at)
    yield piece
  }
}

test('a gigabyte leaves the relay’s memory as it was', async () => {
  const folder = await newFolder()
  const relay = await runRelay(
    relayOptions({
      database: join(folder, 'relay.sqlite'),
      accounts: { [ACCOUNT]: { authToken: TOKEN } },
      media: { maxBytes: SIZE },
    }),
  )
  whenDone(() => relay.kill())
  const httpUrl = relay.url.replace(/^ws/, 'http')
  const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
  const ann = await httpOf('ann', { httpUrl })
  /** Resolves when it is answered. */
  const send = async (
    method: string,
    path: string,
    headers: { [name: string]: string },
    body: Iterable<Buffer> = [],
  ): Promise<IncomingMessage> => {
    const asked = request(new URL(path, httpUrl), { method, headers })
    const answered = once(asked, 'response') as Promise<[IncomingMessage]>
    await pipeline(Readable.from(body), asked)
    return (await answered)[0]
  }
  const patch = async (upload: string, from: number, to: number) => {
    const { statusCode } = await send(
      'PATCH',
      upload,
      {
        authorization: ann.authorization,
        'tus-resumable': '1.0.0',
        'upload-offset': String(from * MEGABYTE),
        'content-type': 'application/offset+octet-stream',
      },
      pieces(from, to),
    )
    expect(statusCode).toBe(204)
  }
  const read = async (path: string, authorization: string): Promise<string> => {
    const answer = await send('GET', path, { authorization })
    expect(answer.statusCode).toBe(200)
    const hash = createHash('sha256')
    await pipeline(answer, hash)
    return hash.digest('hex')
  }

  const hash = createHash('sha256')
  for (const piece of pieces()) hash.update(piece)
  const sha256 = hash.digest('hex')
  const described = () => ({
    sid: newMediaSid(),
    conversation: conversation.sid,
    filetype: 'video/mp4',
    sha256,
  })
  const before = await relay.usage()

  // in one request, and in many
  for (const step of [MEGABYTES, 64]) {
    const told = described()
    const upload = (await ann.create(told, SIZE)).headers.get('location')!
    for (let at = 0; at < MEGABYTES; at += step) await patch(upload, at, at + step)
    expect(await ann.state(told.sid)).toEqual({ state: 'ready' })
    expect(await read(`/media/${told.sid}`, ann.authorization)).toBe(sha256)
  }
  // by REST, whose length nobody says ahead
  const authorization = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`
  const path = `/v1/Services/${defaultServiceSid(ACCOUNT)}/Media`
  const posted = await send('POST', path, { authorization, 'content-type': 'video/mp4' }, pieces())
  expect(posted.statusCode).toBe(201)
  const { size, links } = (await new Response(Readable.toWeb(posted) as ReadableStream).json()) as {
    size: number
    links: { content_direct_temporary: string }
  }
  expect(size).toBe(SIZE)
  expect(await read(links.content_direct_temporary, '')).toBe(sha256)

  const after = await relay.usage()
  expect(after.memory - before.memory, 'what is in use').toBeLessThan(16 * MEGABYTE)
  expect(after.peak - before.peak, 'the most there ever was').toBeLessThan(192 * MEGABYTE)
})
