/** What time does to attachments at a relay, by a clock that stands still until it is moved. */
import { readdir, stat } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { defaultServiceSid } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { openMedia } from '../../server/src/media/open-media.ts'
import { DEFAULT_MEDIA } from '../../server/src/media/options.ts'
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import { ACCOUNT } from '../support/relay.ts'
import { described, httpOf, newFolder } from './relay-stage.ts'
import { bytesOf, sha256, whenDone } from './stage.ts'

const eventually = async (test: () => Promise<boolean>) => {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('the relay', () => {
  const SERVICE = defaultServiceSid(ACCOUNT)
  const { uploadExpiry, unusedExpiry, urlExpiry } = DEFAULT_MEDIA

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
      /** Hashes of content that lies in a folder of attachments. */
      async contentIn(media: string) {
        const found = await readdir(join(folder, media, 'content'), { recursive: true, withFileTypes: true })
        return found.filter((entry) => entry.isFile()).map(({ name }) => name)
      },
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

  /** A request that brings as much as it likes, when it likes; resolves to the status of its answer. */
  const patching = ({ httpUrl }: { httpUrl: string }, upload: string, length: number) => {
    const request = httpRequest(new URL(upload, httpUrl), {
      method: 'PATCH',
      headers: {
        authorization: 'Bearer ann',
        'tus-resumable': '1.0.0',
        'upload-offset': '0',
        'content-type': 'application/offset+octet-stream',
        'content-length': String(length),
      },
    })
    const answered = new Promise<number>((resolve, reject) => {
      request.on('response', (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject)
    })
    return { request, answered }
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

  test('lets go of content that no message came to have, after a month', async () => {
    const { ann, contentIn, pass } = await relayByTheClock()
    const bytes = bytesOf(1000)
    const told = described(`CH${'1'.repeat(32)}`, bytes)
    await ann.bring(told, bytes)
    await pass(unusedExpiry)
    expect(await contentIn('relay.sqlite-media')).toEqual([sha256(bytes)])
    await pass(1)
    expect(await contentIn('relay.sqlite-media')).toEqual([])
    expect((await ann.ask('GET', `/media/${told.sid}`)).status).toBe(404)
  })

  test('ends an address that was given out after an hour', async () => {
    const { ann, httpUrl, pass } = await relayByTheClock()
    const bytes = bytesOf(1000)
    const told = described(`CH${'1'.repeat(32)}`, bytes)
    await ann.bring(told, bytes)
    const asked = await ann.ask('POST', '/media/urls', {}, JSON.stringify({ sids: [told.sid] }))
    const { urls } = (await asked.json()) as { urls: { [sid: string]: string } }
    const address = new URL(urls[told.sid]!, httpUrl)
    await pass(urlExpiry - 1)
    expect((await fetch(address)).status).toBe(200)
    await pass(1)
    expect((await fetch(address)).status).toBe(401)
  })

  test('sees an upload that is withdrawn while a piece of it comes: the piece is given up', async () => {
    const relay = await relayByTheClock()
    const bytes = bytesOf(300_000)
    const { upload } = await begun(relay, bytes)
    const { request, answered } = patching(relay, upload, bytes.length)
    request.write(bytes.subarray(0, 100_000))
    await eventually(async () => (await relay.sizeOf(upload)) === 100_000)
    expect((await relay.ann.ask('DELETE', upload)).status).toBe(204)
    await relay.pass(60_000)
    request.write(bytes.subarray(100_000, 200_000))
    // its end isn't waited for
    expect(await answered).toBe(404)
    request.destroy()
    expect(await readdir(join(relay.folder, 'relay.sqlite-media', 'uploads'))).toEqual([])
    expect(relay.failures).toEqual([])
  })

  test('waits for a backup: what goes while one is made is in it', async () => {
    const { ann, folder, contentIn, opened, store } = await relayByTheClock()
    const bytes = bytesOf(1000)
    const upload = await ann.bring(described(`CH${'1'.repeat(32)}`, bytes), bytes)
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
    const { request, answered } = patching(relay, upload, bytes.length)
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
