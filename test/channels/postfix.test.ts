/** E-mail by servers that share no code with the relay's libraries: Postfix carries it, Dovecot keeps a mailbox. */
import { type Channel, type EmailOptions, email } from '@confab/relay'
import { simpleParser } from 'mailparser'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import { connected, decided, relayOf, shown, together } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { Dovecot, PASSWORD } from './dovecot.ts'
import { answerTo, type Letter, MailServer, sendTo } from './mail-server.ts'
import { Postfix } from './postfix.ts'
import { freePort, hasServer } from './servers.ts'

const OURS = 'support@relay.test'
const EVE = 'eve@people.test'
const hasPostfix = hasServer('postfix')
const hasDovecot = hasServer('dovecot')

const endings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function scene(postfix: Postfix, receive: NonNullable<EmailOptions['receive']>, person = EVE) {
  endings.push(() => postfix.stop())
  const channel: Channel = email({
    addresses: [OURS],
    smtp: { host: '127.0.0.1', port: postfix.port },
    receive,
    perSecond: 1000,
  })
  const relay = await relayOf({ channels: { serviceSid: defaultServiceSid(ACCOUNT), channels: [channel] } })
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  await conversation!.addNonChatParticipant(OURS, person)
  await decided(alice)
  const receiptOf = async () =>
    (await (await conversation!.getMessages()).items.at(-1)!.getDetailedDeliveryReceipts())[0]
  /** What eve finds in her mailbox. */
  const letter = async (): Promise<Letter> => {
    await when(async () => (await postfix.mails()).length > 0)
    const [source = ''] = await postfix.mails()
    const mail = await simpleParser(source)
    const envelopeFrom = /^Return-Path: <(.*)>/m.exec(source)?.[1] ?? ''
    return { envelopeFrom, to: EVE, mail }
  }
  return { conversation: conversation!, receiptOf, letter }
}

// Debian's script looks at every file before it starts a server
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const when = (condition: () => Promise<boolean>) =>
  vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 100_000, interval: 20 })

describe.skipIf(!hasPostfix)('Postfix', () => {
  test('carries a mail to a person, and their answer back to the relay', async () => {
    const port = await freePort()
    const postfix = await Postfix.start({ relay: { port } })
    const { conversation, letter } = await scene(postfix, { smtp: { port } })
    await conversation.sendMessage('Hello Eve, こんにちは 👋')
    const arrived = await letter()
    expect(arrived.mail.text?.trim()).toBe('Hello Eve, こんにちは 👋')
    expect(arrived.envelopeFrom).toMatch(/^support\+mb[0-9a-f]{32}@relay\.test$/)
    expect(await sendTo(postfix.port, answerTo(arrived, 'Hello from Postfix'))).toBe(250)
    await when(
      async () =>
        (await shown(conversation)).join() === ['0 Hello Eve, こんにちは 👋', '1 Hello from Postfix'].join(),
    )
  })

  test('refuses a mailbox that is not there at once, and the message fails', async () => {
    const port = await freePort()
    const postfix = await Postfix.start({ relay: { port } })
    const { conversation, receiptOf } = await scene(postfix, { smtp: { port } }, 'nobody@people.test')
    await conversation.sendMessage('hello?')
    await when(async () => (await receiptOf())?.status === 'failed')
    expect(await receiptOf()).toMatchObject({ errorCode: '550' })
  })

  test('tells later that a mail came back, in its own words, and the message is undelivered', async () => {
    const port = await freePort()
    const far = await MailServer.start()
    endings.push(() => far.stop())
    far.refusals.push(550)
    const postfix = await Postfix.start({ relay: { port }, gone: far.port })
    const { conversation, receiptOf } = await scene(postfix, { smtp: { port } }, 'eve@gone.test')
    await conversation.sendMessage('hello?')
    await when(async () => (await receiptOf())?.status === 'undelivered')
    expect(await receiptOf()).toMatchObject({ errorCode: '500' })
    expect(far.letters).toEqual([])
  })

  test.skipIf(!hasDovecot)(
    'and Dovecot: the answer is delivered into the mailbox that the relay watches',
    async () => {
      const dovecot = await Dovecot.start({ tls: true })
      endings.push(() => dovecot.stop())
      const postfix = await Postfix.start({ relay: { maildir: dovecot.maildir } })
      const { conversation, letter } = await scene(postfix, {
        imap: {
          host: '127.0.0.1',
          port: dovecot.tlsPort,
          ca: dovecot.certificate,
          user: 'support',
          password: PASSWORD,
        },
      })
      await conversation.sendMessage('Hello Eve')
      const answer = answerTo(await letter(), 'Hello from a mailbox')
      expect(await sendTo(postfix.port, answer)).toBe(250)
      await when(
        async () => (await shown(conversation)).join() === ['0 Hello Eve', '1 Hello from a mailbox'].join(),
      )
    },
  )
})
