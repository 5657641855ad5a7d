/** What attachments cost a whole relay, beside the plain tus server that it has inside. */
import { createHash, randomBytes } from 'node:crypto'
import { createAccessToken } from '../../../server/src/token.ts'
import { medianOf, type Row, type Scenario } from '../scenario.ts'
import { ACCOUNT, identityOf, KEY, SECRET } from './load.ts'
import { type ServerProcess, withFolder, withServer } from './process.ts'
import { CONFAB } from './targets.ts'

export const name = 'attachments'
export const title = 'Attachments, up and down'
export const how =
  'Files of 16 MB, each of other bytes, go up by tus in requests of 8 MB, two at a time, and come down again by GET, two at a time: at a whole relay, which authenticates each request, notes how far an upload is, hashes its content, has it on disk (fsync) before it answers and serves it to who may have it; and at the plain `@tus/server` with its `@tus/file-store` in the same run, which does none of that. Each in a process of its own on a core of its own. A quarter of the files goes ahead unmeasured.'

const MEGABYTE = 1_000_000
const FILE = 16 * MEGABYTE
const PIECE = 8 * MEGABYTE
const FILES = 16
const TOGETHER = 2

/** How a server is asked to take a file, and for what it took. */
interface Ways {
  path: string
  headers: { [name: string]: string }
  metadata(content: Buffer): { [name: string]: string }
  /** Where content is read that went there. */
  readAt(location: string, metadata: { [name: string]: string }): string
}

interface Figures {
  up: number
  down: number
  upRate: number
  downRate: number
}

export const run: Scenario['run'] = async (runs) => {
  const [confab, plain]: [Figures[], Figures[]] = [[], []]
  for (let i = 0; i < runs; i++) {
    confab.push(await ofConfab())
    plain.push(await ofPlain())
  }
  const row = (what: string, unit: string, figures: Figures[], figure: keyof Figures): Row => ({
    what,
    unit,
    runs: figures.map((one) => one[figure]),
  })
  const ratio = (what: string, figure: 'up' | 'down'): Row => ({
    what,
    unit: '',
    runs: confab.map((one, at) => one[figure] / (plain[at] as Figures)[figure]),
  })
  return [
    row('up, Confab: CPU a megabyte', 'µs', confab, 'up'),
    row('… megabytes', 'a second', confab, 'upRate'),
    row('up, plain `@tus/server`: CPU a megabyte', 'µs', plain, 'up'),
    row('… megabytes', 'a second', plain, 'upRate'),
    ratio('up: CPU of Confab to that of the plain server', 'up'),
    row('down, Confab: CPU a megabyte', 'µs', confab, 'down'),
    row('… megabytes', 'a second', confab, 'downRate'),
    row('down, plain `@tus/server`: CPU a megabyte', 'µs', plain, 'down'),
    row('… megabytes', 'a second', plain, 'downRate'),
    ratio('down: CPU of Confab to that of the plain server', 'down'),
  ]
}

export function after(rows: readonly Row[]): string {
  const [up, down] = rows.filter(({ what }) => what.includes('to that of')).map(({ runs }) => medianOf(runs))
  return `A megabyte costs the relay ${up?.toFixed(2)} times what it costs the plain server on its way up, where its hash, a second reading for that, and the disk's word are in it, and ${down?.toFixed(2)} times on its way down.`
}

const ofConfab = (): Promise<Figures> =>
  withFolder((folder) =>
    withServer(CONFAB, { folder, make: { conversations: 1, members: 1 } }, async (server) => {
      const identity = identityOf(0, 0)
      const token = await createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity })
      return measured(server, {
        path: '/media/uploads',
        headers: { authorization: `Bearer ${token}` },
        metadata: (content) => ({
          sid: `ME${randomBytes(16).toString('hex')}`,
          conversation: server.documents[0] as string,
          filetype: 'video/mp4',
          sha256: createHash('sha256').update(content).digest('hex'),
        }),
        readAt: (_, { sid }) => `/media/${sid}`,
      })
    }),
  )

const PLAIN = { name: '@tus/server', server: new URL('./servers/tus.ts', import.meta.url) }

const ofPlain = (): Promise<Figures> =>
  withFolder((folder) =>
    withServer(PLAIN, { folder }, (server) =>
      measured(server, {
        path: '/files',
        headers: {},
        metadata: () => ({ filetype: 'video/mp4' }),
        readAt: (location) => location,
      }),
    ),
  )

async function measured(server: ServerProcess, ways: Ways): Promise<Figures> {
  const client = new Client(server.url.replace(/^ws/, 'http'), ways)
  await client.download(await client.upload(FILES / 4))
  const [begun, upBegan] = [await server.usage(), performance.now()]
  const paths = await client.upload(FILES)
  const [between, upEnded] = [await server.usage(), performance.now()]
  await client.download(paths)
  const [ended, downEnded] = [await server.usage(), performance.now()]
  const megabytes = (FILES * FILE) / MEGABYTE
  return {
    up: (between.cpu - begun.cpu) / megabytes,
    down: (ended.cpu - between.cpu) / megabytes,
    upRate: megabytes / ((upEnded - upBegan) / 1000),
    downRate: megabytes / ((downEnded - upEnded) / 1000),
  }
}

class Client {
  readonly #url: string
  readonly #ways: Ways

  constructor(url: string, ways: Ways) {
    this.#url = url
    this.#ways = ways
  }

  /** Gives where each file is read. */
  upload(count: number): Promise<string[]> {
    return eachOf(
      Array.from({ length: count }, () => null),
      () => this.#put(randomBytes(FILE)),
    )
  }

  async download(paths: readonly string[]): Promise<void> {
    await eachOf(paths, async (path) => {
      const response = await this.#ask('GET', path)
      let bytes = 0
      for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) bytes += piece.length
      if (bytes !== FILE) throw new Error(`${bytes} bytes of a file came down`)
    })
  }

  async #put(content: Buffer): Promise<string> {
    const metadata = this.#ways.metadata(content)
    const pairs = Object.entries(metadata)
    const made = await this.#ask('POST', this.#ways.path, {
      'upload-length': String(content.length),
      'upload-metadata': pairs
        .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
        .join(),
    })
    const location = new URL(made.headers.get('location') as string, this.#url).pathname
    for (let offset = 0; offset < content.length; offset += PIECE) {
      const headers = {
        'upload-offset': String(offset),
        'content-type': 'application/offset+octet-stream',
      }
      await this.#ask('PATCH', location, headers, content.subarray(offset, offset + PIECE))
    }
    return this.#ways.readAt(location, metadata)
  }

  async #ask(
    method: string,
    path: string,
    headers: { [name: string]: string } = {},
    body?: Buffer,
  ): Promise<Response> {
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: { 'tus-resumable': '1.0.0', ...this.#ways.headers, ...headers },
      ...(body && { body: body as BodyInit }),
    })
    if (!response.ok) throw new Error(`${method} was answered with ${response.status}`)
    return response
  }
}

/** A few at a time. */
async function eachOf<One, Result>(
  all: readonly One[],
  work: (one: One) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const worker = async () => {
    while (next < all.length) {
      const at = next++
      results[at] = await work(all[at] as One)
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, worker))
  return results
}
