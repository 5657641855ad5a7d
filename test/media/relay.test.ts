/** Attachments at a real relay: what comes in, who gets it, and when it goes. */
import { randomBytes } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Conversation, Message } from '@confab/client'
import { defaultServiceSid, uuidV7 } from '@confab/core'
import { parse as parseDisposition } from 'content-disposition'
import { Upload } from 'tus-js-client'
import { describe, expect, test } from 'vitest'
import { ACCOUNT, tokenFor } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { described, httpOf, newMediaSid, relayOnDisk } from './relay-stage.ts'
import { bytesOf, clientOf, nextMessage, readBack, sha256, together } from './stage.ts'

const SERVICE = defaultServiceSid(ACCOUNT)
const eventually = async (test: () => Promise<boolean>) => {
  while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function annAndBen(options: Parameters<typeof relayOnDisk>[0] = {}) {
  const relay = await relayOnDisk(options)
  const [ann, ben] = [await clientOf('ann', relay.url), await clientOf('ben', relay.url)]
  const [anns, bens] = (await together(ann, ben)) as [Conversation, Conversation]
  return { relay, ann, ben, anns, bens }
}

async function sent(
  from: Conversation,
  to: Conversation,
  bytes: Uint8Array,
  name = 'a.png',
): Promise<Message> {
  const coming = nextMessage(to)
  await from.sendMessage({ contentType: 'image/png', filename: name, media: new Blob([bytes as BlobPart]) })
  return coming
}

describe('between two devices', () => {
  test('a picture goes up, is checked, and comes down the same; the same picture again lies there once', async () => {
    const { relay, anns, bens } = await annAndBen()
    const bytes = bytesOf(700_000)
    const message = await sent(anns, bens, bytes)
    expect(message.attachedMedia![0]).toMatchObject({
      filename: 'a.png',
      size: 700_000,
      contentType: 'image/png',
    })
    expect(await readBack(await message.attachedMedia![0]!.getContentTemporaryUrl())).toEqual(bytes)
    await sent(bens, anns, bytes, 'b.png')
    expect(await relay.content()).toEqual([sha256(bytes)])
    expect(await relay.uploads()).toEqual([])
    expect(relay.failures).toEqual([])
  })

  test('a message that is removed takes its content from the disk, unless another message has it', async () => {
    const { relay, anns, bens } = await annAndBen()
    const bytes = bytesOf(5000)
    const first = await sent(anns, bens, bytes)
    const second = await sent(bens, anns, bytes)
    await (await bens.getMessages()).items.find(({ sid }) => sid === second.sid)!.remove()
    const ann = await httpOf('ann', relay)
    const statusOf = async (message: Message) =>
      (await ann.ask('GET', `/media/${message.attachedMedia![0]!.sid}`)).status
    await eventually(async () => (await statusOf(second)) === 404)
    expect(await statusOf(first)).toBe(200)
    expect(await relay.content()).toHaveLength(1)
    await (await anns.getMessages()).items[0]!.remove()
    await eventually(async () => (await relay.content()).length === 0)
  })

  test('a conversation that is deleted takes all of its content from the disk', async () => {
    const { relay, anns, bens } = await annAndBen()
    await sent(anns, bens, bytesOf(100))
    await sent(anns, bens, bytesOf(200))
    expect(await relay.content()).toHaveLength(2)
    await anns.delete()
    await eventually(async () => (await relay.content()).length === 0)
  })

  test('what a message has survives a restart of the relay', async () => {
    const { relay, anns, bens } = await annAndBen()
    const bytes = bytesOf(10_000)
    const message = await sent(anns, bens, bytes)
    const again = await relay.again()
    const ben = await httpOf('ben', again)
    const content = await ben.ask('GET', `/media/${message.attachedMedia![0]!.sid}`)
    expect(Buffer.from(await content.arrayBuffer())).toEqual(bytes)
  })
})

describe('a message', () => {
  const post = (media: object[]) => ({
    type: 'message.post' as const,
    id: uuidV7(Date.now(), (count) => randomBytes(count)),
    dateWritten: Date.now(),
    body: 'look',
    media,
  })
  const record = (sid: string, bytes: Uint8Array, contentType = 'image/png') => ({
    sid,
    category: 'media',
    contentType,
    size: bytes.length,
    sha256: sha256(bytes),
  })

  test('is refused with attachments that the relay does not have, and may come again when it has', async () => {
    const { relay, anns } = await annAndBen()
    const [bytes, sid] = [bytesOf(40), newMediaSid()]
    const operation = post([record(sid, bytes)])
    // a server's own: uploads of people are for their messages alone
    const asServer = () => relay.system.submit(SERVICE, anns.sid, operation as never)
    expect(await asServer()).toMatchObject({ verdict: 'refused', code: 70606 })
    const ann = await httpOf('ann', relay)
    await ann.bring(described(anns.sid, bytes, { sid }), bytes)
    expect(await asServer()).toMatchObject({ verdict: 'refused', code: 70606 })
    expect((await anns.getMessages()).items).toEqual([])
  })
})

describe('an upload', () => {
  test('goes on where it stopped when the relay was restarted, with any tus client', async () => {
    const { relay, anns } = await annAndBen()
    const bytes = bytesOf(3_000_000)
    const told = described(anns.sid, bytes, { filename: 'film.mp4', filetype: 'video/mp4' })
    const before = await httpOf('ann', relay)
    const made = await before.create(told, bytes.length)
    const location = made.headers.get('location') as string
    expect(made.headers.get('upload-expires')).toBeTruthy()
    await before.patch(location, 0, bytes.subarray(0, 1_000_000))
    expect(await before.state(told.sid)).toEqual({ state: 'uploading' })

    const again = await relay.again()
    const token = await tokenFor('ann')
    const offsets: number[] = []
    await new Promise<void>((resolve, reject) =>
      new Upload(bytes, {
        uploadUrl: new URL(location, again.httpUrl).href,
        chunkSize: 700_000,
        headers: { Authorization: `Bearer ${token}` },
        onProgress: (sentBytes) => void offsets.push(sentBytes),
        onSuccess: () => resolve(),
        onError: reject,
      }).start(),
    )
    expect(offsets[0]).toBeGreaterThanOrEqual(1_000_000)
    const after = await httpOf('ann', again)
    expect(await after.state(told.sid)).toEqual({ state: 'ready' })
    const head = await after.ask('HEAD', location)
    expect([head.status, head.headers.get('upload-offset')]).toEqual([200, '3000000'])
    expect(await again.content()).toEqual([sha256(bytes)])
    expect(await again.uploads()).toEqual([])
  })

  test('that is whole, but of another content than it said, is refused, and nothing of it is left', async () => {
    const { relay, anns } = await annAndBen()
    const ann = await httpOf('ann', relay)
    const bytes = bytesOf(1000)
    const told = described(anns.sid, bytes)
    const made = await ann.create(told, bytes.length)
    const refused = await ann.patch(made.headers.get('location')!, 0, bytesOf(1000))
    expect([refused.status, await ann.codeOf(refused)]).toEqual([400, 70607])
    expect((await ann.ask('GET', `/media/${told.sid}/state`)).status).toBe(404)
    expect([await relay.content(), await relay.uploads()]).toEqual([[], []])
  })

  test('of nothing is ready at once', async () => {
    const { relay, anns } = await annAndBen()
    const ann = await httpOf('ann', relay)
    const told = described(anns.sid, Buffer.alloc(0))
    await ann.bring(told, Buffer.alloc(0))
    expect(await ann.state(told.sid)).toEqual({ state: 'ready' })
    const content = await ann.ask('GET', `/media/${told.sid}`)
    expect([content.status, (await content.arrayBuffer()).byteLength]).toEqual([200, 0])
  })

  test('whose last answer was lost is found whole', async () => {
    const { relay, anns } = await annAndBen()
    const ann = await httpOf('ann', relay)
    const bytes = bytesOf(500)
    const told = described(anns.sid, bytes)
    const location = (await ann.create(told, bytes.length)).headers.get('location')!
    await ann.patch(location, 0, bytes.subarray(0, 499))
    // as if the relay had died behind the last byte
    await appendFile(join(relay.folder(), 'uploads', location.split('/').at(-1)!), bytes.subarray(499))
    expect(await ann.state(told.sid)).toEqual({ state: 'ready' })
    expect(await relay.content()).toEqual([told.sha256])
  })

  test('that its author calls off is gone, and so is what nobody goes on with', async () => {
    const { relay, anns } = await annAndBen({ media: { uploadExpiry: 1 } })
    const ann = await httpOf('ann', relay)
    const bytes = bytesOf(500)
    const called = (await ann.create(described(anns.sid, bytes), 500)).headers.get('location')!
    expect((await ann.ask('DELETE', called)).status).toBe(204)
    expect((await ann.ask('HEAD', called)).status).toBe(404)
    await ann.create(described(anns.sid, bytes), 500)
    expect(await relay.uploads()).not.toEqual([])
    const again = await relay.again()
    await eventually(async () => (await again.uploads()).length === 0)
  })

  test('is refused when it is too large, of a type that is not taken, or one too many', async () => {
    const media = { maxBytes: 1000, types: ['image/*', 'text/plain'], maxWaiting: 2, maxWaitingBytes: 1500 }
    const { relay, anns } = await annAndBen({ media })
    const ann = await httpOf('ann', relay)
    const codes = async (metadata: object, length: number) => {
      const response = await ann.create(metadata, length)
      return [response.status, response.status === 201 ? null : await ann.codeOf(response)]
    }
    const some = (filetype: string) => described(anns.sid, bytesOf(1), { filetype })
    expect(await codes(some('image/png'), 1001)).toEqual([413, 70608])
    expect(await codes(some('application/zip'), 10)).toEqual([415, 70609])
    expect(await codes(some('text/plain; charset=utf-8'), 1000)).toEqual([201, null])
    expect(await codes(some('image/png'), 600)).toEqual([429, 20429])
    expect(await codes(some('image/png'), 500)).toEqual([201, null])
    expect(await codes(some('image/png'), 0)).toEqual([429, 20429])
    expect(await codes({ ...some('image/png'), sha256: 'abc' }, 1)).toEqual([400, 20001])
    expect(await codes({ ...some('image/png'), sid: 'ME1' }, 1)).toEqual([400, 20001])
    expect(await codes({ ...some('no type') }, 1)).toEqual([400, 20001])
  })

  test('takes the sid of none that is there', async () => {
    const { relay, anns } = await annAndBen()
    const [ann, ben] = [await httpOf('ann', relay), await httpOf('ben', relay)]
    const bytes = bytesOf(10)
    const told = described(anns.sid, bytes)
    await ann.create(told, 10)
    const theirs = await ben.create(told, 10)
    expect([theirs.status, await ben.codeOf(theirs)]).toEqual([409, 70105])
    // one's own that isn't whole is begun anew
    await ann.bring(told, bytes)
    const again = await ann.create(told, 10)
    expect(await ann.codeOf(again)).toBe(70105)
    expect(await relay.uploads()).toEqual([])
  })
})

describe('whoever is no participant', () => {
  test('is told the same of what is there, of what is not, and of what is still on its way', async () => {
    const { relay, anns, bens } = await annAndBen()
    const message = await sent(anns, bens, bytesOf(100))
    const ann = await httpOf('ann', relay)
    const upload = (await ann.create(described(anns.sid, bytesOf(50)), 50)).headers.get('location')!
    const mallory = await httpOf('mallory', relay)
    const answers = async (paths: [method: string, path: string][]) => {
      const found = []
      for (const [method, path] of paths) {
        const response = await mallory.ask(method, path)
        const headers = [...response.headers].filter(([name]) => name !== 'date')
        found.push([response.status, headers, await response.text()])
      }
      return found
    }
    const [there, absent] = [message.attachedMedia![0]!.sid, newMediaSid()]
    const theirs = await answers([
      ['GET', `/media/${there}`],
      ['HEAD', `/media/${there}`],
      ['GET', `/media/${there}/state`],
      ['HEAD', upload],
      ['PATCH', upload],
      ['DELETE', upload],
      ['GET', upload],
    ])
    const nothing = await answers([
      ['GET', `/media/${absent}`],
      ['HEAD', `/media/${absent}`],
      ['GET', `/media/${absent}/state`],
      ['HEAD', '/media/uploads/abc'],
      ['PATCH', '/media/uploads/abc'],
      ['DELETE', '/media/uploads/abc'],
      ['GET', '/media/uploads/abc'],
    ])
    expect(theirs).toEqual(nothing)
    expect(theirs.map(([status]) => status)).toEqual(theirs.map(() => 404))
    const urls = await mallory.ask('POST', '/media/urls', {}, JSON.stringify({ sids: [there, absent] }))
    expect(await urls.json()).toMatchObject({ urls: {} })
    const unknown = described(`CH${'0'.repeat(32)}`, bytesOf(1))
    const into = await Promise.all([
      mallory.create(described(anns.sid, bytesOf(1)), 1),
      mallory.create(unknown, 1),
    ])
    expect(into.map(({ status }) => status)).toEqual([404, 404])
    expect(await into[0].text()).toBe(await into[1].text())
  })

  test('any more has addresses that no longer work', async () => {
    const { relay, anns, bens } = await annAndBen()
    const message = await sent(anns, bens, bytesOf(100))
    const [media] = message.attachedMedia!
    const ben = await httpOf('ben', relay)
    const asked = await ben.ask('POST', '/media/urls', {}, JSON.stringify({ sids: [media!.sid] }))
    const { urls, expires } = (await asked.json()) as { urls: { [sid: string]: string }; expires: number }
    expect(expires).toBeGreaterThan(Date.now())
    const url = new URL(urls[media!.sid]!, relay.httpUrl)
    expect((await fetch(url)).status).toBe(200)
    const forged = new URL(url)
    const [grant, seal] = url.searchParams.get('token')!.split('.')
    forged.searchParams.set('token', `${grant}.${seal!.startsWith('A') ? 'B' : 'A'}${seal!.slice(1)}`)
    expect((await fetch(forged)).status).toBe(401)
    const another = new URL(url)
    another.pathname = `/media/${newMediaSid()}`
    expect((await fetch(another)).status).toBe(401)
    await anns.removeParticipant('ben')
    expect((await fetch(url)).status).toBe(404)
  })
})

describe('content', () => {
  const brought = async (bytes: Uint8Array, filetype: string, filename: string) => {
    const { relay, anns } = await annAndBen()
    const ann = await httpOf('ann', relay)
    const told = described(anns.sid, bytes, { filetype, filename })
    await ann.bring(told, bytes)
    return { ann, path: `/media/${told.sid}` }
  }

  test('is read in parts, and not again when it is known', async () => {
    const bytes = bytesOf(1000)
    const { ann, path } = await brought(bytes, 'video/mp4', 'film.mp4')
    const part = async (range: string) => {
      const response = await ann.ask('GET', path, { range })
      return [
        response.status,
        response.headers.get('content-range'),
        Buffer.from(await response.arrayBuffer()),
      ]
    }
    expect(await part('bytes=0-9')).toEqual([206, 'bytes 0-9/1000', bytes.subarray(0, 10)])
    expect(await part('bytes=990-')).toEqual([206, 'bytes 990-999/1000', bytes.subarray(990)])
    expect(await part('bytes=-5')).toEqual([206, 'bytes 995-999/1000', bytes.subarray(995)])
    expect(await part('bytes=1000-')).toEqual([416, 'bytes */1000', Buffer.alloc(0)])
    expect(await part('bytes=0-1,5-6')).toEqual([200, null, bytes])
    const etag = (await ann.ask('HEAD', path)).headers.get('etag')!
    expect(etag).toBe(`"${sha256(bytes)}"`)
    expect((await ann.ask('GET', path, { 'if-none-match': etag })).status).toBe(304)
  })

  test.each([
    [
      'a picture with script',
      'image/svg+xml',
      'a.svg',
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    ],
    ['a page', 'text/html', 'a.html', '<script>alert(1)</script>'],
    ['a picture that is a page, too', 'image/gif', 'a.gif', 'GIF89a/*<script>alert(1)</script>*/=0'],
  ])('that is %s runs nowhere', async (_, type, name, text) => {
    const { ann, path } = await brought(Buffer.from(text), type, name)
    const { headers } = await ann.ask('GET', path)
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-type')).toBe(type)
    const isPicture = type === 'image/gif'
    expect(parseDisposition(headers.get('content-disposition')!)).toMatchObject({
      type: isPicture ? 'inline' : 'attachment',
      parameters: { filename: name },
    })
  })

  test('that unpacks into a thousand times as much stays as it is, even when its sender wants it unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 })
    expect(bomb.length).toBeLessThan(100_000)
    const relay = await relayOnDisk({ media: { maxBytes: 100_000 } })
    const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
    const ann = await httpOf('ann', relay)
    const told = described(conversation.sid, bomb, { filetype: 'application/gzip', filename: 'a.gz' })
    const upload = (await ann.create(told, bomb.length)).headers.get('location')!
    const headers = {
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'content-encoding': 'gzip',
    }
    expect((await ann.ask('PATCH', upload, headers, bomb)).status).toBe(204)
    const content = await ann.ask('GET', `/media/${told.sid}`, { 'accept-encoding': 'gzip' })
    expect(content.headers.get('content-encoding')).toBeNull()
    expect(Buffer.from(await content.arrayBuffer())).toEqual(bomb)
  })

  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Windows\\win.ini', 'win.ini'],
    ['.htaccess', 'htaccess'],
    ['a"; filename="b.exe', 'a; filename=b.exe'],
    ['photo\u202egnp.exe', 'photognp.exe'],
    ['x\r\nset-cookie: a=b', 'xset-cookie a=b'],
  ])('named %j is called %j', async (filename, clean) => {
    const { ann, path } = await brought(Buffer.from('%PDF'), 'application/pdf', filename)
    const { headers } = await ann.ask('HEAD', path)
    expect(parseDisposition(headers.get('content-disposition')!)).toMatchObject({
      type: 'attachment',
      parameters: { filename: clean },
    })
    expect(headers.get('set-cookie')).toBeNull()
  })
})

describe('an app that is asked about attachments', () => {
  test('holds the message until it answers, and refuses what it does not like', async () => {
    const asked: string[] = []
    let answer: (verdict: { refuse: string } | undefined) => void = () => {}
    const onMediaAdd = async ({
      media,
      read,
    }: Parameters<NonNullable<import('@confab/relay').Hooks['onMediaAdd']>>[0]) => {
      const chunks: Buffer[] = []
      for await (const chunk of await read()) chunks.push(chunk as Buffer)
      asked.push(`${media.filename} ${Buffer.concat(chunks)}`)
      return new Promise<{ refuse: string } | undefined>((resolve) => {
        answer = resolve
      })
    }
    const { relay, ann, anns, bens } = await annAndBen({ hooks: { onMediaAdd } })
    const coming = nextMessage(bens)
    await anns.sendMessage({ contentType: 'text/plain', filename: 'good.txt', media: 'good' })
    await eventually(async () => asked.length === 1)
    expect(asked).toEqual(['good.txt good'])
    expect((await bens.getMessages()).items).toEqual([])
    answer(undefined)
    expect((await coming).attachedMedia![0]!.filename).toBe('good.txt')

    await anns.sendMessage({ contentType: 'text/plain', filename: 'bad.txt', media: 'bad' })
    await eventually(async () => asked.length === 2)
    answer({ refuse: 'Not safe' })
    await until(ann, () => ann.getHeldOperations().length === 1)
    expect(ann.getHeldOperations()[0]!.error).toMatchObject({ code: 70301, message: 'Not safe' })
    await eventually(async () => (await relay.content()).length === 1)
    expect((await bens.getMessages()).items).toHaveLength(1)
  })

  test('is asked again by a relay that was restarted before it answered', async () => {
    let asked = 0
    const silent = {
      onMediaAdd() {
        asked++
        return new Promise<undefined>(() => {})
      },
    }
    const { relay, anns } = await annAndBen({ hooks: silent })
    const ann = await httpOf('ann', relay)
    const told = described(anns.sid, Buffer.from('x'))
    await ann.bring(told, Buffer.from('x'))
    expect(await ann.state(told.sid)).toEqual({ state: 'checking' })
    const again = await relay.again({ hooks: { onMediaAdd: () => void asked++ } })
    const later = await httpOf('ann', again)
    await eventually(async () => ((await later.state(told.sid)) as { state: string }).state === 'ready')
    expect(asked).toBe(2)
  })
})

test('no byte of a token or a name is in what the relay writes down', async () => {
  const lines: string[] = []
  const log = (details: object, message: string) => void lines.push(`${JSON.stringify(details)} ${message}`)
  const relay = await relayOnDisk({ logger: { debug: log, info: log, warn: log, error: log } })
  const [ann, ben] = [await clientOf('ann', relay.url), await clientOf('ben', relay.url)]
  const [anns, bens] = (await together(ann, ben)) as [Conversation, Conversation]
  const message = await sent(anns, bens, bytesOf(10), 'secret-name.png')
  const asked = await (await httpOf('ben', relay)).ask(
    'POST',
    '/media/urls',
    {},
    JSON.stringify({ sids: [message.attachedMedia![0]!.sid] }),
  )
  const { urls } = (await asked.json()) as { urls: { [sid: string]: string } }
  const [url] = Object.values(urls)
  await (await fetch(new URL(url!, relay.httpUrl))).arrayBuffer()
  expect(lines.join('\n')).not.toContain(url!.split('token=')[1])
  expect(lines.join('\n')).not.toContain('secret-name')
  expect(lines.length).toBeGreaterThan(0)
})
