/** Two things at once with one upload: what is kept, and what each of them is told. */
import { appendFile, readdir, stat } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Conversation } from '@confab/client'
import { defaultServiceSid } from '@confab/core'
import type { BlobStore } from '@confab/relay'
import { describe, expect, test } from 'vitest'
import { diskBlobs } from '../../server/src/media/disk-blobs.ts'
import { openMedia } from '../../server/src/media/open-media.ts'
import { DEFAULT_MEDIA } from '../../server/src/media/options.ts'
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import { ACCOUNT } from '../support/relay.ts'
import { described, httpOf, newFolder, relayOnDisk } from './relay-stage.ts'
import { bytesOf, clientOf, sha256, together, whenDone } from './stage.ts'

const eventually = async (test: () => Promise<boolean>) => {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** A place for content that lets nothing in before it is told to. */
function gated(blobs: BlobStore) {
  let open = () => {}
  let reached = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const knocked = new Promise<void>((resolve) => {
    reached = resolve
  })
  const puts: string[] = []
  const store: BlobStore = {
    ...blobs,
    async put(hash, file) {
      puts.push(hash)
      reached()
      await opened
      await blobs.put(hash, file)
    },
  }
  return { store, puts, knocked, open: () => open() }
}

/** Somebody whose upload has all of its bytes at a relay that has not looked at them yet. */
async function wholeAtTheGate() {
  const folder = await newFolder()
  const gate = gated(diskBlobs(join(folder, 'relay.sqlite-media', 'content')))
  const requests: string[] = []
  const logger = {
    debug: (details: object) => {
      const { method, path } = details as { method?: string; path?: string }
      requests.push(`${method} ${path}`)
    },
    info() {},
    warn() {},
    error() {},
  }
  const relay = await relayOnDisk({ media: { store: gate.store }, logger }, folder)
  const client = await clientOf('ann', relay.url)
  const [conversation] = (await together(client)) as [Conversation]
  const ann = await httpOf('ann', relay)
  const bytes = bytesOf(1000)
  const told = described(conversation.sid, bytes)
  const upload = (await ann.create(told, bytes.length)).headers.get('location')!
  await appendFile(join(relay.folder(), 'uploads', upload.split('/').at(-1)!), bytes)
  /** Resolves when the relay has got so many of these requests. */
  const got = (line: string, count: number) =>
    eventually(async () => requests.filter((one) => one === line).length >= count)
  const nothingIsLeft = async () => {
    await eventually(async () => (await relay.content()).length === 0)
    await eventually(async () => (await relay.uploads()).length === 0)
    expect((await ann.ask('GET', `/media/${told.sid}/state`)).status).toBe(404)
    expect((await ann.ask('HEAD', upload)).status).toBe(404)
  }
  return { relay, ann, conversation, told, upload, bytes, gate, got, nothingIsLeft }
}

describe('an upload', () => {
  test('that is found whole by two requests at once is stored once, and both are told', async () => {
    const { relay, ann, told, upload, gate, got } = await wholeAtTheGate()
    const answers = [ann.ask('HEAD', upload), ann.ask('HEAD', upload), ann.state(told.sid)] as const
    await got(`HEAD ${upload}`, 2)
    await got(`GET /media/${told.sid}/state`, 1)
    await gate.knocked
    gate.open()
    const [first, second, state] = await Promise.all(answers)
    for (const head of [first, second])
      expect([head.status, head.headers.get('upload-offset')]).toEqual([200, '1000'])
    expect(state).toEqual({ state: 'ready' })
    expect(gate.puts).toEqual([told.sha256])
    expect(await relay.content()).toEqual([told.sha256])
    await eventually(async () => (await relay.uploads()).length === 0)
  })

  test('whose last piece comes twice takes it once, and says to the other where it stands', async () => {
    const relay = await relayOnDisk()
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    for (let round = 0; round < 8; round++) {
      const bytes = bytesOf(300_000)
      const told = described(conversation.sid, bytes)
      const upload = (await ann.create(told, bytes.length)).headers.get('location')!
      await ann.patch(upload, 0, bytes.subarray(0, 100_000))
      const last = () => ann.patch(upload, 100_000, bytes.subarray(100_000)).catch(() => null)
      const answers = await Promise.all([last(), last()])
      // whoever was not the one to bring it asks where it stands, as tus has it
      for (const answer of answers) expect([204, 400, 409, undefined]).toContain(answer?.status)
      const head = await ann.ask('HEAD', upload)
      const offset = Number(head.headers.get('upload-offset'))
      if (offset < bytes.length) await ann.patch(upload, offset, bytes.subarray(offset))
      expect(await ann.state(told.sid)).toEqual({ state: 'ready' })
      const again = await ann.patch(upload, 100_000, bytes.subarray(100_000))
      expect(again.status).toBe(409)
      const nothing = await ann.patch(upload, bytes.length, new Uint8Array())
      expect([nothing.status, nothing.headers.get('upload-offset')]).toEqual([204, '300000'])
      expect(await relay.content()).toContain(told.sha256)
    }
    await eventually(async () => (await relay.uploads()).length === 0)
    expect(relay.failures).toEqual([])
  })

  test('is told when a piece is for another place than it stands at', async () => {
    const relay = await relayOnDisk()
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const upload = (await ann.create(described(conversation.sid, bytesOf(10)), 10)).headers.get('location')!
    expect((await ann.patch(upload, 5, bytesOf(5))).status).toBe(409)
  })

  test('that is withdrawn while its content is taken leaves nothing', async () => {
    const { ann, upload, gate, nothingIsLeft } = await wholeAtTheGate()
    const head = ann.ask('HEAD', upload)
    await gate.knocked
    expect((await ann.ask('DELETE', upload)).status).toBe(204)
    gate.open()
    expect((await head).status).toBe(404)
    await nothingIsLeft()
  })

  test('that is withdrawn while its content is hashed leaves nothing', async () => {
    const relay = await relayOnDisk()
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const bytes = Buffer.alloc(48_000_000)
    const told = described(conversation.sid, bytes)
    const upload = (await ann.create(told, bytes.length)).headers.get('location')!
    await appendFile(join(relay.folder(), 'uploads', upload.split('/').at(-1)!), bytes)
    const head = ann.ask('HEAD', upload)
    expect((await ann.ask('DELETE', upload)).status).toBe(204)
    expect((await head).status).toBe(404)
    await eventually(async () => (await relay.content()).length === 0)
    await eventually(async () => (await relay.uploads()).length === 0)
    expect((await ann.ask('GET', `/media/${told.sid}/state`)).status).toBe(404)
    expect(relay.failures).toEqual([])
  })

  test('into a conversation that is deleted while its content is taken leaves nothing', async () => {
    const { ann, upload, conversation, gate, nothingIsLeft } = await wholeAtTheGate()
    const head = ann.ask('HEAD', upload)
    await gate.knocked
    await conversation.delete()
    gate.open()
    expect((await head).status).toBe(404)
    await nothingIsLeft()
  })

  test('into a conversation that is deleted leaves none of its bytes', async () => {
    const relay = await relayOnDisk()
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const upload = (await ann.create(described(conversation.sid, bytesOf(10)), 10)).headers.get('location')!
    await ann.patch(upload, 0, bytesOf(5))
    await conversation.delete()
    await eventually(async () => (await relay.uploads()).length === 0)
  })

  test('of a sid that is begun many times at once is one', async () => {
    const relay = await relayOnDisk()
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const bytes = bytesOf(1000)
    const told = described(conversation.sid, bytes)
    const asked = Array.from({ length: 5 }, () => ann.create(told, 1000))
    const made: Response[] = []
    for (const answer of await Promise.all(asked)) {
      if (answer.status === 201) made.push(answer)
      else expect([answer.status, await ann.codeOf(answer)]).toEqual([409, 70105])
    }
    const patched = await Promise.all(
      made.map(({ headers }) => ann.patch(headers.get('location')!, 0, bytes)),
    )
    const [taken, ...others] = patched.map(({ status }) => status).sort()
    expect(taken).toBe(204)
    expect(others).toEqual(others.map(() => 404))
    await eventually(async () => (await relay.uploads()).length === 0)
    expect(await relay.content()).toEqual([told.sha256])
  })

  test('is one of as many as somebody may have, however many are begun at once', async () => {
    const relay = await relayOnDisk({ media: { maxWaiting: 2 } })
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const begun = Array.from({ length: 8 }, () => ann.create(described(conversation.sid, bytesOf(1)), 1))
    const statuses = (await Promise.all(begun)).map(({ status }) => status).sort()
    expect(statuses).toEqual([201, 201, ...Array.from({ length: 6 }, () => 429)])
  })

  test('has a place among all that the relay takes from its beginning on', async () => {
    const relay = await relayOnDisk({ media: { maxTotalBytes: 1500 } })
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const begin = () => ann.create(described(conversation.sid, bytesOf(1000)), 1000)
    expect((await begin()).status).toBe(201)
    const second = await begin()
    expect([second.status, await ann.codeOf(second)]).toEqual([503, 70502])
  })
})

describe('the clock', () => {
  const SERVICE = defaultServiceSid(ACCOUNT)
  const { uploadExpiry } = DEFAULT_MEDIA

  /** The relay's HTTP of attachments with a clock that stands still until it is moved. */
  async function relayByTheClock() {
    const folder = await newFolder()
    const store = openSqliteStore(join(folder, 'relay.sqlite'))
    let now = 1_000_000_000_000
    const opened = await openMedia({
      database: join(folder, 'relay.sqlite'),
      options: {},
      store: { ...store, keyOf: async () => 1, isMember: async () => true },
      onMediaAdd: undefined,
      authenticate: async () => ({ principal: { serviceSid: SERVICE, identity: 'ann' } as never }),
      now: () => now,
      after: () => () => {},
      log: { info() {}, error: (details) => void failures.push(details) },
    })
    const failures: object[] = []
    const server = createServer((request, response) => void opened.handler(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    whenDone(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await opened.close()
      await store.close()
    })
    const httpUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      ann: await httpOf('ann', { httpUrl }),
      httpUrl,
      folder,
      opened,
      store,
      failures,
      /** Bytes of an upload that lie there. */
      sizeOf: async (upload: string) =>
        (await stat(join(folder, 'relay.sqlite-media', 'uploads', upload.split('/').at(-1)!))).size,
      async pass(milliseconds: number) {
        now += milliseconds
        opened.keeping.sweep()
        await opened.keeping.swept()
      },
    }
  }
  const begun = async ({ ann }: Awaited<ReturnType<typeof relayByTheClock>>, bytes: Uint8Array) => {
    const told = described(`CH${'1'.repeat(32)}`, bytes)
    const upload = (await ann.create(told, bytes.length)).headers.get('location')!
    return { told, upload }
  }

  test('gives up an upload that nobody goes on with, and none that comes a little at a time', async () => {
    const relay = await relayByTheClock()
    const bytes = bytesOf(1000)
    const [left, slow] = [await begun(relay, bytes), await begun(relay, bytes)]
    for (const offset of [0, 250, 500]) {
      await relay.ann.patch(slow.upload, offset, bytes.subarray(offset, offset + 250))
      await relay.pass(uploadExpiry * 0.7)
    }
    expect((await relay.ann.ask('HEAD', left.upload)).status).toBe(404)
    expect((await relay.ann.patch(slow.upload, 750, bytes.subarray(750))).status).toBe(204)
    expect(await relay.ann.state(slow.told.sid)).toEqual({ state: 'ready' })
  })

  test('waits for a backup: what goes while one is made is in it', async () => {
    const { ann, folder, opened, store } = await relayByTheClock()
    const bytes = bytesOf(1000)
    const upload = await ann.bring(described(`CH${'1'.repeat(32)}`, bytes), bytes)
    const contentIn = async (media: string) => {
      const found = await readdir(join(folder, media, 'content'), { recursive: true, withFileTypes: true })
      return found.filter((entry) => entry.isFile()).map(({ name }) => name)
    }
    const copied = await opened.backUp(join(folder, 'copy.sqlite'), async (copy) => {
      await store.backup(copy)
      expect((await ann.ask('DELETE', upload)).status).toBe(204)
      await opened.keeping.swept()
    })
    expect(copied).toEqual({ count: 1, bytes: 1000, lacking: [], isElsewhere: false })
    expect(await contentIn('copy.sqlite-media')).toEqual([sha256(bytes)])
    await opened.keeping.swept()
    expect(await contentIn('relay.sqlite-media')).toEqual([])
  })

  test('gives up no upload in the middle of a request that goes on and on', async () => {
    const relay = await relayByTheClock()
    const bytes = bytesOf(300_000)
    const { told, upload } = await begun(relay, bytes)
    const request = httpRequest(new URL(upload, relay.httpUrl), {
      method: 'PATCH',
      headers: {
        authorization: 'Bearer ann',
        'tus-resumable': '1.0.0',
        'upload-offset': '0',
        'content-type': 'application/offset+octet-stream',
        'content-length': String(bytes.length),
      },
    })
    const answered = new Promise<number>((resolve, reject) => {
      request.on('response', (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject)
    })
    for (const end of [100_000, 200_000]) {
      request.write(bytes.subarray(end - 100_000, end))
      // a HEAD would take the upload over
      await eventually(async () => (await relay.sizeOf(upload)) === end)
      await relay.pass(uploadExpiry * 0.7)
    }
    request.end(bytes.subarray(200_000))
    expect(await answered).toBe(204)
    expect(await relay.ann.state(told.sid)).toEqual({ state: 'ready' })
    expect(relay.failures).toEqual([])
  })
})
