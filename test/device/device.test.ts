/** What a client says of itself and of what it keeps, and how it lets go of it: the public surface, real disks. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type ClientOptions, type Conversation, directory, memory } from '@confab/client'
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { tiny } from '../history/stage.ts'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const folder = mkdtempSync(join(tmpdir(), 'confab-device-'))
const clients: Client[] = []
let relay: Relay
let devices = 0

beforeEach(async () => {
  relay = await createRelay({
    port: 0,
    database: ':memory:',
    accessKeys: { [ACCESS.key]: ACCESS.secret },
    sealing: tiny,
  })
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await relay.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newDevice = () => join(folder, `device-${++devices}`)
const NOWHERE = 'ws://127.0.0.1:1'

function start(identity: string, device: string, options: ClientOptions = {}): Client {
  const token = () => createAccessToken({ ...ACCESS, identity, serviceSid: 'IS1', ttl: 3600 })
  const client = new Client(token, {
    url: relay.url,
    storage: directory(device),
    logLevel: 'silent',
    ...options,
  })
  clients.push(client)
  return client
}

const when = (condition: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 10_000, interval: 5 })

async function filled(client: Client, count: number, body = (index: number) => `message ${index}`) {
  const conversation = await (await client.createConversation({ friendlyName: 'Tea & <b>talk</b>' })).join()
  for (let index = 0; index < count; index++) await conversation.sendMessage(body(index))
  await when(() => client.getPendingOperations().length === 0)
  return conversation
}

async function everything(conversation: Conversation): Promise<string[]> {
  let page = await conversation.getMessages(100)
  const all = [...page.items]
  while (page.hasPrevPage) {
    page = await page.prevPage()
    all.unshift(...page.items)
  }
  return all.map(({ index, body }) => `${index} ${body}`)
}

describe('diagnostics', () => {
  test('connected: state, token, clock and a quiet conversation; nothing that was written', async () => {
    const client = start('ada', newDevice())
    const { sid } = await filled(client, 3, () => 'a secret thought')
    const found = await client.diagnostics()
    expect(found.connection).toMatchObject({ state: 'connected', nextAttempt: null, lastFailure: null })
    expect(found.connection.history.map(({ state }) => state)).toEqual(['connecting', 'connected'])
    expect(Math.abs(found.connection.clockSkew ?? Number.NaN)).toBeLessThan(60_000)
    expect(found.token.expired).toBe(false)
    expect(found.token.expiresAt?.getTime()).toBeGreaterThan(Date.now())
    expect(found).toMatchObject({ pending: 0, held: 0, relay: relay.url.replace('ws:', 'http:') })
    expect(found.conversations).toMatchObject([
      { sid, channel: 'open', messages: 3, pending: [], lastRefusal: null },
    ])
    expect(JSON.stringify(found)).not.toMatch(/secret thought|Tea|eyJ/)
  })

  test('why it is not sent: no relay, what waits since when, and when it is tried again', async () => {
    const client = start('ada', newDevice(), { url: NOWHERE })
    const conversation = await (await client.createConversation()).join()
    await conversation.sendMessage('waits')
    await when(() => client.connectionState === 'disconnected')
    const { connection, pending, conversations, token } = await client.diagnostics()
    expect(connection.lastFailure).toMatchObject({ closeCode: expect.any(Number) })
    expect(connection.history.length).toBeLessThanOrEqual(50)
    expect(pending).toBe(3)
    expect(conversations[0]?.pending.map(({ type }) => type)).toEqual([
      'conversation.create',
      'conversation.join',
      'message.post',
    ])
    expect(Date.now() - (conversations[0]?.pending[2]?.since.getTime() ?? 0)).toBeLessThan(60_000)
    expect(token.expiresAt).toBeInstanceOf(Date)
  })

  test('what was refused is named with its code', async () => {
    const ada = start('ada', newDevice())
    const conversation = await filled(ada, 1)
    await conversation.add('bob')
    const bob = start('bob', newDevice())
    await when(async () => (await bob.getSubscribedConversations()).items.length === 1)
    const bobs = await bob.getConversationBySid(conversation.sid)
    await bob.goOffline()
    await bobs.sendMessage('too late')
    await conversation.removeParticipant('bob')
    await bob.goOnline()
    await when(() => bob.getHeldOperations().length === 1)
    expect((await bob.diagnostics()).held).toBe(1)
  })
})

describe('storage', () => {
  test('figures of history, index and all of it; what a folder may take', async () => {
    const client = start('ada', newDevice(), { storage: directory(newDevice(), { maxBytes: 50_000_000 }) })
    const conversation = await filled(client, 40)
    await when(async () => (await client.storage()).history > 0)
    const before = await client.storage()
    expect(before).toMatchObject({ quota: 50_000_000, persisted: true, index: 0 })
    expect(before.used).toBeGreaterThan(before.history)
    expect(before.conversations).toEqual([
      { sid: conversation.sid, pages: expect.any(Number), bytes: before.history, media: 0 },
    ])
    expect(before.conversations[0]?.pages).toBeGreaterThan(0)
    await client.searchMessages('message')
    await when(async () => (await client.storage()).index > 0)
    expect(await client.persistStorage()).toBe(true)
    const held = start('ada', '', { storage: memory() })
    expect(await held.persistStorage()).toBe(false)
    expect(await held.storage()).toMatchObject({ used: null, quota: null })
  })

  test('a conversation that is forgotten takes no room, stays on the list, and comes again when it is opened', async () => {
    const device = newDevice()
    const client = start('ada', device)
    const conversation = await filled(client, 40, (index) => `unforgettable-${index}`)
    await client.searchMessages('unforgettable')
    const all = await everything(conversation)
    expect(await client.forget(conversation)).toBe(true)
    await client.searchMessages('unforgettable')
    const figures = await client.storage()
    expect(figures.history).toBe(0)
    expect((await client.getSubscribedConversations()).items.map(({ sid }) => sid)).toEqual([
      conversation.sid,
    ])
    await client.goOffline()
    expect((await client.searchMessages('unforgettable')).messages).toEqual([])
    await client.goOnline()
    await when(async () => JSON.stringify(await everything(conversation)) === JSON.stringify(all))
    await expect(client.forget('CH00000000000000000000000000000000')).rejects.toMatchObject({ code: 20404 })
  })

  test('it is not forgotten while something of it is undecided', async () => {
    const client = start('ada', newDevice(), { url: NOWHERE })
    const conversation = await (await client.createConversation()).join()
    await conversation.sendMessage('precious')
    expect(await client.forget(conversation)).toBe(false)
    expect(await everything(conversation)).toEqual(['0 precious'])
  })

  test('destroy leaves nothing of this person, and everything of the other one', async () => {
    const device = newDevice()
    const bob = start('bob', device)
    await filled(bob, 2, () => 'what bob said')
    await bob.shutdown()
    const ada = start('ada', device)
    await filled(ada, 30, () => 'what ada said')
    await ada.searchMessages('ada')
    await ada.destroy()
    const left = readdirSync(device)
    const bytes = Buffer.concat(left.map((name) => readFileSync(join(device, name))))
    expect(bytes.includes('what ada said')).toBe(false)
    expect(bytes.includes('what bob said')).toBe(true)
    await expect(ada.searchMessages('ada')).rejects.toMatchObject({ code: 70701 })
    const again = start('bob', device)
    expect((await again.getSubscribedConversations()).items).toHaveLength(1)
    await again.destroy()
    expect(existsSync(device) ? readdirSync(device) : []).toEqual([])
    const fresh = start('ada', device)
    await when(() => fresh.connectionState === 'connected')
    await when(async () => (await fresh.getSubscribedConversations()).items.length === 1)
  })
})

describe('export', () => {
  const textOf = async (conversation: Conversation, format: 'jsonl' | 'markdown' | 'html') => {
    const { blob, fileName, unseen } = await conversation.export({ format })
    return { text: await blob.text(), type: blob.type, fileName, unseen }
  }

  test('jsonl has every record, live and sealed, edits and removals done, the same bytes each time, with no network', async () => {
    const device = newDevice()
    const client = start('ada', device)
    const conversation = await filled(client, 40)
    await conversation.add('bob')
    const { items } = await conversation.getMessages(100)
    await items[3]?.updateBody('edited')
    await items[4]?.remove()
    await conversation.advanceLastReadMessageIndex(7)
    await when(() => client.getPendingOperations().length === 0)
    const before = await everything(conversation)
    await client.shutdown()
    const offline = start('ada', device, { url: relay.url })
    await offline.goOffline()
    const again = await offline.getConversationBySid(conversation.sid)
    const { text, unseen, type } = await textOf(again, 'jsonl')
    expect(unseen).toEqual([])
    expect(type).toBe('application/jsonl')
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({ type: 'conversation', version: 1, record: { sid: conversation.sid } })
    const people = lines.filter((line) => line.type === 'participant')
    expect(people.map((line) => line.record.identity).sort()).toEqual(['ada', 'bob'])
    expect(people.find((line) => line.record.identity === 'ada').read.lastReadMessageIndex).toBe(7)
    const messages = lines.filter((line) => line.type === 'message').map((line) => line.record)
    expect(messages.map(({ index, body }) => `${index} ${body}`)).toEqual(before)
    expect((await textOf(again, 'jsonl')).text).toBe(text)
  })

  test('markdown and html are for people, and what somebody wrote is no markup in them', async () => {
    const client = start('ada', newDevice())
    const nasty = '<script>alert(1)</script> *not bold* [x](javascript:alert(1))'
    const conversation = await filled(client, 1, () => nasty)
    const markdown = await textOf(conversation, 'markdown')
    expect(markdown.fileName).toMatch(/^Tea b talk b [0-9a-f]{8}\.md$/)
    expect(markdown.text).toContain('\\*not bold\\*')
    expect(markdown.text).not.toMatch(/<script|\]\(java/)
    const html = await textOf(conversation, 'html')
    expect(html.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt; *not bold*')
    expect(html.text).not.toContain('<script')
    expect(html.text).toContain('<title>Tea &amp; &lt;b&gt;talk&lt;/b&gt;</title>')
    expect(html.type).toBe('text/html')
    await expect(conversation.export({ format: 'pdf' as never })).rejects.toMatchObject({ code: 20001 })
  })

  test('what is not on this device is named', async () => {
    await filled(start('ada', newDevice()), 40)
    const ada = start('ada', newDevice())
    await when(async () => (await ada.getSubscribedConversations()).items.length === 1)
    const [conversation] = (await ada.getSubscribedConversations()).items as [Conversation]
    await conversation.getMessages(1)
    const { text, unseen } = await textOf(conversation, 'jsonl')
    expect(unseen[0]).toMatchObject({ conversationSid: conversation.sid, from: 0 })
    expect(JSON.parse(text.split('\n')[0] as string).unseen).toEqual(
      unseen.map(({ conversationSid: _, ...one }) => one),
    )
    expect((await textOf(conversation, 'html')).text).toContain('are not on this device')
  })
})
