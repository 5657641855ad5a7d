/**
 * A relay's attachments by the plain tus server, in front of a real relay that does everything else: what a device may
 * expect by docs/attachments.md, and what goes wrong when a test says so.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { startRelay, type TestRelay } from '../support/relay.ts'

interface Kept {
  file: string
  type: string
  size: number
  state: 'uploading' | 'checking' | 'ready' | 'refused'
}

export interface MediaRelay {
  readonly relay: TestRelay
  readonly url: string
  readonly port: number
  /** What it has of attachments, by their sid. */
  readonly kept: Map<string, Kept>
  /** Requests so far: method, and the path without ids. */
  readonly requests: string[]
  /** What uploads and content are answered with instead. */
  refusing: { status: number; code: number } | null
  /** What becomes of an upload that is complete. */
  verdict: 'ready' | 'checking' | 'refused'
  /** What downloads give instead of the content. */
  damaged: Buffer | null
  close(): Promise<void>
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers':
    'authorization, content-type, range, tus-resumable, upload-length, upload-metadata, upload-offset',
  'access-control-expose-headers':
    'location, tus-resumable, upload-offset, upload-length, content-range, etag',
}

export async function startMediaRelay(): Promise<MediaRelay> {
  const relay = await startRelay({ media: false })
  const folder = await mkdtemp(join(tmpdir(), 'confab-uploads-'))
  const kept = new Map<string, Kept>()
  const byUpload = new Map<string, string>()
  const tus = new Server({
    path: '/media/uploads',
    datastore: new FileStore({ directory: folder }),
    relativeLocation: true,
    async onUploadCreate(_, upload) {
      const { sid = '', filetype = '' } = upload.metadata as { [name: string]: string }
      byUpload.set(upload.id, sid)
      kept.set(sid, {
        file: join(folder, upload.id),
        type: filetype,
        size: upload.size ?? 0,
        state: 'uploading',
      })
      return {}
    },
    async onUploadFinish(_, upload) {
      const one = kept.get(byUpload.get(upload.id) ?? '')
      const hash = createHash('sha256')
        .update(await readFile(join(folder, upload.id)))
        .digest('hex')
      if (hash !== upload.metadata?.sha256)
        throw {
          status_code: 400,
          body: JSON.stringify({ code: 70607, message: 'Another hash', status: 400 }),
        }
      if (one) one.state = stand.verdict
      return {}
    },
  })

  async function media(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://relay')
    const json = (status: number, body: object) =>
      response.writeHead(status, { ...CORS, 'content-type': 'application/json' }).end(JSON.stringify(body))
    const [, , sid = '', what] = pathname.split('/')
    if (request.method === 'OPTIONS') return void response.writeHead(204, CORS).end()
    stand.requests.push(`${request.method} ${sid.startsWith('ME') ? (what ?? 'content') : sid}`)
    if (!request.headers.authorization && !request.url?.includes('token='))
      return void json(401, { code: 20003, message: 'No token', status: 401 })
    if (sid === 'uploads') {
      if (stand.refusing) return void json(stand.refusing.status, { message: 'No', ...stand.refusing })
      for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value)
      return tus.handle(request, response)
    }
    if (sid === 'urls') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const { sids } = JSON.parse(Buffer.concat(chunks).toString()) as { sids: string[] }
      const urls = Object.fromEntries(
        sids
          .filter((one) => kept.get(one)?.state === 'ready')
          .map((one) => [one, `${url}/media/${one}?token=x`]),
      )
      return void json(200, { urls, expires: Date.now() + 3_600_000 })
    }
    const one = kept.get(sid)
    if (!one) return void json(404, { code: 20404, message: 'Not found', status: 404 })
    if (what === 'state') {
      const why = one.state === 'refused' ? { code: 70301, message: 'The scanner said no' } : {}
      return void json(200, { state: one.state, ...why })
    }
    if (stand.damaged) return void response.writeHead(200, CORS).end(stand.damaged)
    const [, from = '0'] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
    const start = Number(from)
    response.writeHead(start > 0 ? 206 : 200, {
      ...CORS,
      'content-type': one.type,
      'content-length': one.size - start,
    })
    createReadStream(one.file, { start }).pipe(response)
  }

  const server = createServer((request, response) => {
    // a request that is cut is no failure of the test's
    request.on('error', () => {})
    void media(request, response).catch(() => response.destroy())
  })
  server.on('upgrade', (request, socket, head) => {
    const to = connect(Number(new URL(relay.url.replace('ws', 'http')).port), '127.0.0.1', () => {
      const headers = request.rawHeaders.flatMap((one, i, all) => (i % 2 ? [] : `${one}: ${all[i + 1]}`))
      to.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
      to.write(head)
      to.pipe(socket).pipe(to)
    })
    for (const [one, other] of [
      [to, socket],
      [socket, to],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const stand: MediaRelay = {
    relay,
    url,
    port,
    kept,
    requests: [],
    refusing: null,
    verdict: 'ready',
    damaged: null,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await relay.close()
      await closed
      await rm(folder, { recursive: true, force: true })
    },
  }
  return stand
}
