/** Attachments by REST: brought by servers with plain HTTP, named by the official package, read by SDK clients. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Conversation, Message } from '@confab/client'
import type { Hooks } from '@confab/relay'
import { describe, expect, test } from 'vitest'
import { described, httpOf } from '../media/relay-stage.ts'
import { readBack, sha256 } from '../media/stage.ts'
import {
  ACCOUNT,
  event,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  onStage,
  person,
  refusal,
  SERVICE,
  TOKEN,
} from './stage.ts'

const basic = (account: string, token: string) =>
  `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}`

interface MediaBody {
  sid: string
  url: string
  links: { content: string; content_direct_temporary: string }
}

/** A server of the account at `Media`, with nothing but fetch. */
function serverAt(
  { httpUrl }: { httpUrl: string },
  service = SERVICE,
  authorization = basic(ACCOUNT, TOKEN),
) {
  const base = `${httpUrl}/v1/Services/${service}/Media`
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(base + path, { ...init, headers: { authorization, ...init.headers } })
  const post = (content: BodyInit, type = 'image/png', query = '') =>
    ask(query, { method: 'POST', body: content, headers: { 'content-type': type } })
  const posted = async (content: BodyInit, type?: string, query?: string): Promise<MediaBody> => {
    const response = await post(content, type, query)
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
    return (await response.json()) as MediaBody
  }
  return { base, ask, post, posted }
}

const codeOf = async (response: Response) => {
  const { code } = (await response.json()) as { code: number }
  return [response.status, code]
}

/** A relay, a server, and Ada and Ben in a conversation, with the SDK. */
async function withPeople(options: Parameters<typeof onStage>[0] = {}) {
  const stage = await onStage(options)
  const [ada, ben] = [await person(stage, 'ada'), await person(stage, 'ben')]
  const conversation = await (await ada.createConversation()).join()
  const joined = event<Conversation>(ben, 'conversationJoined')
  await conversation.add('ben')
  return { ...stage, stage, conversation, bens: await joined, server: serverAt(stage) }
}

describe('an attachment that a server brings', () => {
  test('is in a message of the official package, and everybody in the conversation reads it', async () => {
    const { rest, conversation, bens, server } = await withPeople()
    const [picture, note] = [randomBytes(200_000), Buffer.from('a note')]
    const first = await server.posted(picture, 'image/png', '?Filename=..%2Fcaf%C3%A9.png')
    expect(first).toMatchObject({
      account_sid: ACCOUNT,
      service_sid: SERVICE,
      author: 'system',
      category: 'media',
      content_type: 'image/png',
      filename: 'café.png',
      size: 200_000,
      channel_sid: null,
      message_sid: null,
      is_multipart_upstream: false,
      url: `${server.base}/${first.sid}`,
      links: { content: `${server.base}/${first.sid}/Content` },
    })
    const arrived = event<Message>(bens, 'messageAdded')
    const { messages } = rest.conversations(conversation.sid)
    const posted = await messages.create({ author: 'ada', body: 'look', mediaSid: first.sid })
    const shown = {
      sid: first.sid,
      category: 'media',
      content_type: 'image/png',
      filename: 'café.png',
      size: 200_000,
    }
    expect(posted.media).toEqual([shown])
    expect((await messages(posted.sid).fetch()).media).toEqual([shown])
    const [media] = (await arrived).attachedMedia!
    expect(media).toMatchObject({ sid: first.sid, filename: 'café.png', size: 200_000 })
    expect(await readBack(await media!.getContentTemporaryUrl())).toEqual(picture)
    expect(
      await (await fetch(first.url, { headers: { authorization: basic(ACCOUNT, TOKEN) } })).json(),
    ).toMatchObject({
      channel_sid: conversation.sid,
      message_sid: posted.sid,
    })

    const both = event<Message>(bens, 'messageAdded')
    const [second, third] = [await server.posted(note, 'text/plain'), await server.posted(picture)]
    const form = new URLSearchParams([
      ['MediaSid', second.sid],
      ['MediaSid', third.sid],
    ])
    const made = await fetch(server.base.replace('/Media', `/Conversations/${conversation.sid}/Messages`), {
      method: 'POST',
      body: form,
      headers: { authorization: basic(ACCOUNT, TOKEN) },
    })
    expect(made.status).toBe(201)
    const contents = (await both).attachedMedia!.map(async (one) =>
      readBack(await one.getContentTemporaryUrl()),
    )
    expect(await Promise.all(contents)).toEqual([note, picture])
  })

  test('is read where its content leads to, with the headers of every attachment, and in parts', async () => {
    const stage = await onStage()
    const server = serverAt(stage)
    const page = Buffer.from('<script>alert(1)</script>')
    const { sid, links } = await server.posted(page, 'text/html')
    const led = await server.ask(`/${sid}/Content`, { redirect: 'manual' })
    expect(led.status).toBe(307)
    const followed = await server.ask(`/${sid}/Content`, { headers: { range: 'bytes=1-6' } })
    expect([followed.status, await followed.text()]).toEqual([206, 'script'])
    const direct = await fetch(links.content_direct_temporary)
    expect(await direct.text()).toBe(page.toString())
    expect(direct.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
    expect(direct.headers.get('content-disposition')).toBe('attachment')
    expect(direct.headers.get('etag')).toBe(`"${sha256(page)}"`)
  })

  test('is deleted while no message has it, and with the message then', async () => {
    const { rest, conversation, server } = await withPeople()
    const [unused, used] = [await server.posted('unused'), await server.posted('used')]
    expect((await server.ask(`/${unused.sid}`, { method: 'DELETE' })).status).toBe(204)
    expect(await codeOf(await server.ask(`/${unused.sid}`))).toEqual([404, 20404])
    expect((await fetch(unused.links.content_direct_temporary)).status).toBe(404)
    const { messages } = rest.conversations(conversation.sid)
    const { sid } = await messages.create({ mediaSid: used.sid })
    expect(await codeOf(await server.ask(`/${used.sid}`, { method: 'DELETE' }))).toEqual([403, 20403])
    expect((await fetch(used.links.content_direct_temporary)).status).toBe(200)
    await messages(sid).remove()
    expect(await codeOf(await server.ask(`/${used.sid}`))).toEqual([404, 20404])
    expect((await fetch(used.links.content_direct_temporary)).status).toBe(404)
  })

  test('is for one message, whatever is asked at the same time', async () => {
    const { rest, conversation, server } = await withPeople()
    const other = await rest.conversations.create()
    const { sid } = await server.posted('once')
    const here = rest.conversations(conversation.sid).messages
    const there = rest.conversations(other.sid).messages
    const tries = await Promise.allSettled(
      [here, there, here, there].map((messages) => messages.create({ mediaSid: sid })),
    )
    const refusals = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
    expect(refusals).toEqual([70606, 70606, 70606])
    expect([...(await here.list()), ...(await there.list())]).toHaveLength(1)
  })

  test('waits for the app, as those of people do', async () => {
    let answer: (verdict: { refuse: string } | undefined) => void = () => {}
    const onMediaAdd: Hooks['onMediaAdd'] = () => new Promise((resolve) => (answer = resolve))
    const { rest, conversation, server } = await withPeople({ hooks: { onMediaAdd } })
    const { messages } = rest.conversations(conversation.sid)
    const { sid } = await server.posted('good')
    expect(await refusal(messages.create({ mediaSid: sid }))).toMatchObject({ code: 70606, status: 409 })
    answer(undefined)
    while ((await server.ask(`/${sid}/Content`)).status !== 200);
    expect(await messages.create({ mediaSid: sid })).toMatchObject({ index: 0 })
    const bad = await server.posted('bad')
    answer({ refuse: 'No' })
    while ((await server.ask(`/${bad.sid}`)).status !== 404);
    expect(await refusal(messages.create({ mediaSid: bad.sid }))).toMatchObject({ code: 70606 })
  })
})

describe('attachments of others', () => {
  test('are not there, for another account, in another service, and for messages of servers', async () => {
    const { rest, stage, conversation, server } = await withPeople()
    const { sid } = await server.posted('ours')
    const absent = `ME${'0'.repeat(32)}`
    const theirs = serverAt(stage, SERVICE, basic(OTHER_ACCOUNT, OTHER_TOKEN))
    const { sid: second } = await rest.services.create({ friendlyName: 'Second' })
    const elsewhere = serverAt(stage, second)
    for (const one of [theirs, elsewhere])
      for (const path of ['', '/Content'])
        for (const method of path === '' ? ['GET', 'DELETE'] : ['GET']) {
          const answers = []
          for (const asked of [sid, absent]) {
            const response = await one.ask(`/${asked}${path}`, { method })
            answers.push([response.status, (await response.text()).replaceAll(asked, '')])
          }
          expect(answers[0]).toEqual(answers[1])
          expect(answers[0]![0]).toBe(404)
        }
    expect(await codeOf(await theirs.post('x'))).toEqual([404, 20404])
    const { messages } = rest.conversations(conversation.sid)
    const other = rest.services(second)
    const { sid: place } = await other.conversations.create()
    // what a person brought is for their own messages
    const ada = await httpOf('ada', stage)
    const told = described(conversation.sid, Buffer.from('hers'))
    await ada.bring(told, Buffer.from('hers'))
    for (const attempt of [
      messages.create({ mediaSid: absent }),
      messages.create({ mediaSid: told.sid }),
      messages.create({ mediaSid: 'nonsense' }),
      other.conversations(place).messages.create({ mediaSid: sid }),
    ])
      expect(await refusal(attempt)).toMatchObject({ code: 70606, status: 409 })
    expect(await messages.list()).toEqual([])
  })

  test('are those of nobody where the relay takes none', async () => {
    const stage = await onStage({ media: false })
    expect(await codeOf(await serverAt(stage).post('x'))).toEqual([404, 20404])
  })
})

describe('what is too large, or of a type that is not taken', () => {
  const media = { maxBytes: 100_000, types: ['image/*', 'text/plain'], maxTotalBytes: 150_000 }

  test('is refused, and nothing of it is kept', async () => {
    const stage = await onStage({ media })
    const server = serverAt(stage)
    expect(await codeOf(await server.post(new Uint8Array(100_001)))).toEqual([413, 70608])
    expect(await codeOf(await server.post('%PDF', 'application/pdf'))).toEqual([415, 70609])
    const untyped = await server.ask('', { method: 'POST', body: new Uint8Array(1) })
    expect(await codeOf(untyped)).toEqual([400, 20001])
    expect(await codeOf(await server.post('x', 'image/png', '?Name=a'))).toEqual([400, 20001])
    expect((await server.post(new Uint8Array(100_000))).status).toBe(201)
    expect(await codeOf(await server.post(new Uint8Array(60_000).fill(1)))).toEqual([503, 70502])
    expect(stage.failures.filter((line) => !line.includes('no room'))).toEqual([])
  })

  test('and never ends is answered, and hung up on before long', async () => {
    const stage = await onStage({ media })
    const { httpUrl } = stage
    const piece = Buffer.from(`10000\r\n${'x'.repeat(65_536)}\r\n`)
    /** Sends on and on, but no more than this, whatever becomes of it. */
    const most = 256 * 1024 * 1024
    const endless = async (path: string, method: string, headers: { [name: string]: string }) => {
      const { hostname, port } = new URL(httpUrl)
      const socket = connect(Number(port), hostname)
      let [answered, sent] = ['', 0]
      socket.on('data', (data) => (answered += data)).on('error', () => {})
      const closed = new Promise((resolve) => socket.once('close', resolve))
      const lines = Object.entries({ host: 'relay', 'transfer-encoding': 'chunked', ...headers })
      socket.write(
        `${method} ${path} HTTP/1.1\r\n${lines.map((line) => `${line.join(': ')}\r\n`).join('')}\r\n`,
      )
      const send = () => {
        while (!socket.destroyed && sent < most) {
          sent += piece.length
          if (!socket.write(piece)) return void socket.once('drain', send)
        }
        socket.end()
      }
      send()
      await closed
      return { status: Number(answered.slice(9, 12)), sent }
    }
    const byServer = await endless(`/v1/Services/${SERVICE}/Media`, 'POST', {
      authorization: basic(ACCOUNT, TOKEN),
      'content-type': 'image/png',
    })
    expect(byServer.status).toBe(413)
    expect(byServer.sent).toBeLessThan(most / 2)

    const ada = await person(stage, 'ada')
    const conversation = await (await ada.createConversation()).join()
    const http = await httpOf('ada', stage)
    const made = await http.create(described(conversation.sid, Buffer.alloc(10)), 10)
    const byPerson = await endless(made.headers.get('location')!, 'PATCH', {
      authorization: http.authorization,
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    })
    expect(byPerson.status).toBe(413)
    expect(byPerson.sent).toBeLessThan(most / 2)

    const byForm = await endless(`/v1/Services/${SERVICE}/Conversations`, 'POST', {
      authorization: basic(ACCOUNT, TOKEN),
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(byForm.status).toBe(413)
    expect(byForm.sent).toBeLessThan(most / 2)
    // nobody else notices
    expect((await fetch(`${httpUrl}/health`)).status).toBe(200)
  })

  test('is nothing of when whoever sent it hangs up in the middle', async () => {
    const stage = await onStage({ media })
    const abort = new AbortController()
    let sent = () => {}
    const under = new Promise<void>((resolve) => (sent = resolve))
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(1000)),
      pull: () => {
        sent()
        return new Promise(() => {})
      },
    })
    const asked = fetch(serverAt(stage).base, {
      method: 'POST',
      body,
      duplex: 'half',
      signal: abort.signal,
      headers: { authorization: basic(ACCOUNT, TOKEN), 'content-type': 'image/png' },
    } as RequestInit)
    await under
    abort.abort()
    await expect(asked).rejects.toThrow()
    expect((await serverAt(stage).post(new Uint8Array(100_000))).status).toBe(201)
    expect(stage.failures).toEqual([])
  })
})
