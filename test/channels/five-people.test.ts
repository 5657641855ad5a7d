/** Five people in one conversation: two on the SDK, one of them offline for a while, one by SMS, one by WhatsApp, one by e-mail. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, Conversation, Message } from '@confab/client'
import { memory } from '@confab/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { start, together } from '../conformance/stage.ts'
import { ACCOUNT, KEY, SECRET } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { GraphServer, WHATSAPP } from './graph-server.ts'
import { answerTo, MailServer, sendTo } from './mail-server.ts'
import { freePort } from './servers.ts'
import { Smsc } from './smsc.ts'

const SMS = { ours: '+15550009999', theirs: '+15550001111' }
const CHAT = { ours: WHATSAPP.address, theirs: 'whatsapp:+15550002222' }
const MAIL = { ours: 'support@relay.test', theirs: 'eve@people.test' }

let smsc: Smsc
let graph: GraphServer
let mail: MailServer
let folder: string
const children: ChildProcess[] = []
vi.setConfig({ testTimeout: 240_000 })
const main = join(import.meta.dirname, '../../server/src/cli/main.ts')
beforeEach(async () => {
  ;[smsc, graph, mail] = await Promise.all([Smsc.start(), GraphServer.start(), MailServer.start()])
  folder = mkdtempSync(join(tmpdir(), 'confab-five-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all([smsc.stop(), graph.stop(), mail.stop()])
  rmSync(folder, { recursive: true, force: true })
})

/** A relay as an operator runs it, which can be killed. */
class Relay {
  readonly url: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.#exited = once(child, 'close')
    this.url = url
  }

  static async start(port: number, mailPort: number): Promise<Relay> {
    const file = join(folder, 'channels.json')
    writeFileSync(file, JSON.stringify(described(mailPort)))
    const keys = ['--key', `${KEY}=${SECRET}`, '--account', ACCOUNT]
    const child = spawn(
      process.execPath,
      [
        main,
        'relay',
        '--port',
        String(port),
        '--database',
        join(folder, 'relay.sqlite'),
        ...keys,
        '--channels',
        file,
      ],
      { env: { ...process.env, ...SECRETS }, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    children.push(child)
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    await smsc.until(() => smsc.sessions.length > 0)
    return new Relay(child, /ws:\S+(?=,)/.exec(String(line))?.[0] ?? '')
  }

  get httpUrl(): string {
    return this.url.replace('ws', 'http')
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
    await smsc.until(() => smsc.sessions.length === 0)
  }
}

const SECRETS = {
  SMPP_PASSWORD: 'secret',
  WA_TOKEN: WHATSAPP.accessToken,
  WA_SECRET: WHATSAPP.appSecret,
  WA_VERIFY: WHATSAPP.verifyToken,
}

const described = (mailPort: number) => ({
  naming: 'never',
  channels: [
    {
      kind: 'smpp',
      host: '127.0.0.1',
      port: smsc.port,
      systemId: 'confab',
      password: { env: 'SMPP_PASSWORD' },
      addresses: [SMS.ours],
      perSecond: 1000,
    },
    {
      kind: 'whatsapp-cloud',
      phoneNumberId: WHATSAPP.phoneNumberId,
      address: CHAT.ours,
      accessToken: { env: 'WA_TOKEN' },
      appSecret: { env: 'WA_SECRET' },
      verifyToken: { env: 'WA_VERIFY' },
      graphUrl: graph.url,
    },
    {
      kind: 'email',
      addresses: [MAIL.ours],
      smtp: { host: '127.0.0.1', port: mail.port },
      receive: { smtp: { port: mailPort } },
      perSecond: 1000,
    },
  ],
})

/** What each of the three was sent, in order. */
const received = () => ({
  sms: smsc.delivered.map(({ text }) => text),
  whatsapp: graph.sent.map(({ text }) => text.body),
  email: mail.letters.map((letter) => letter.mail.text?.trim()),
})

/** How many deliveries the relay has on record: what it is killed before, it does again. */
const onRecord = async (conversation: Conversation) => {
  const messages = (await conversation.getMessages(100)).items
  const receipts = await Promise.all(messages.map((message) => message.getDetailedDeliveryReceipts()))
  return receipts.flat().filter(({ status }) => status !== 'queued').length
}

const timeline = async (conversation: Conversation) =>
  (await conversation.getMessages(100)).items.map(({ index, author, body }) => `${index} ${author}: ${body}`)

test('each receives each message once and in order, through two kills of the relay and a stretch without network', async () => {
  const [port, mailPort] = [await freePort(), await freePort()]
  let relay = await Relay.start(port, mailPort)
  const aliceStorage = memory()
  let alice: Client = await start('alice', relay.url, { storage: aliceStorage })
  const bob = await start('bob', relay.url)
  for (const client of [alice, bob]) await until(client, () => client.connectionState === 'connected')
  const [asAlice, asBob] = (await together(alice, bob)) as [Conversation, Conversation]
  for (const { ours, theirs } of [SMS, CHAT, MAIL]) await asAlice.addNonChatParticipant(ours, theirs)
  await until(alice, () => alice.getPendingOperations().length === 0)

  await asAlice.sendMessage('1 by alice')
  await mail.until(() => mail.letters.length === 1)
  await smsc.until(() => smsc.delivered.length === 1)
  await graph.until(() => graph.sent.length === 1)

  // alice's network goes
  await alice.shutdown()
  await smsc.sendAs(SMS.theirs, SMS.ours, '2 by sms')
  await until(bob, async () => (await timeline(asBob)).length === 2)

  // the relay is killed while bob's message waits for a mail server that is busy
  await until(bob, async () => (await onRecord(asBob)) === 5)
  mail.refusals.push(...Array(20).fill(452))
  await asBob.sendMessage('3 by bob')
  await until(bob, () => bob.getPendingOperations().length === 0)
  await mail.until(() => mail.refusals.length < 20)
  await until(bob, async () => (await onRecord(asBob)) === 7)
  await relay.kill()
  mail.refusals.length = 0
  relay = await Relay.start(port, mailPort)
  await until(bob, () => bob.connectionState === 'connected')
  await graph.says(`${relay.httpUrl}/channels/whatsapp`, 'wamid.in', CHAT.theirs, '4 by whatsapp')
  await mail.until(() => mail.letters.length === 4)
  expect(await sendTo(mailPort, answerTo(mail.letters[0]!, '5 by email'))).toBe(250)

  // alice writes while there is no relay to meet: it is killed once more
  await until(bob, async () => (await timeline(asBob)).length === 5)
  await until(bob, async () => (await onRecord(asBob)) === 12)
  await relay.kill()
  alice = await start('alice', relay.url, { storage: aliceStorage })
  const again = await alice.getConversationBySid(asAlice.sid)
  await again.sendMessage('6 by alice, offline')
  relay = await Relay.start(port, mailPort)
  await until(bob, async () => (await timeline(asBob)).length === 6)
  await until(alice, () => alice.connectionState === 'connected' && alice.getPendingOperations().length === 0)

  const all = ['1 by alice', '2 by sms', '3 by bob', '4 by whatsapp', '5 by email', '6 by alice, offline']
  const butTheirOwn = (own: string) => all.filter((body) => !body.endsWith(own))
  await mail.until(() => mail.letters.length === 5)
  await smsc.until(() => smsc.delivered.length === 5)
  await graph.until(() => graph.sent.length === 5)
  expect(received()).toEqual({
    sms: butTheirOwn('by sms'),
    whatsapp: butTheirOwn('by whatsapp'),
    email: butTheirOwn('by email'),
  })
  expect(await timeline(again)).toEqual(await timeline(asBob))
  expect((await timeline(again)).map((line) => line.split(': ')[1])).toEqual(all)

  const fully = async (message: Message | undefined) => message?.aggregatedDeliveryReceipt?.sent === 'all'
  for (const [client, conversation] of [
    [alice, again],
    [bob, asBob],
  ] as const) {
    await until(client, async () => {
      const messages = (await conversation.getMessages(100)).items
      return (await Promise.all(messages.map(fully))).every(Boolean)
    })
  }
  // a receipt that no relay lived to acknowledge is told again by the centre
  await until(bob, async () => {
    const receipts = await (await asBob.getMessages()).items[0]!.getDetailedDeliveryReceipts()
    return (
      receipts
        .map(({ status }) => status)
        .sort()
        .join() === 'delivered,sent,sent'
    )
  })
})
