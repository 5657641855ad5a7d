/** E-mail that comes in by IMAP: a relay that watches a mailbox of Dovecot's. */
import { type Channel, email } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import type { ImapOptions } from '../../server/src/channels/email/imap.ts'
import { connected, decided, relayOf, shown, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { Dovecot, PASSWORD } from './dovecot.ts'
import { MailServer } from './mail-server.ts'
import { poisons } from './poisons.ts'
import { hasServer } from './servers.ts'

const OURS = 'support@relay.test'
const EVE = 'eve@people.test'

const hasDovecot = hasServer('dovecot')

describe.skipIf(!hasDovecot)('a mailbox', () => {
  let dovecot: Dovecot
  let server: MailServer
  beforeEach(async () => {
    dovecot = await Dovecot.start()
    server = await MailServer.start()
  })
  afterEach(async () => {
    await dovecot.stop()
    await server.stop()
  })

  const channelOf = (imap: Partial<ImapOptions> = {}, mailBytes = 10_000): Channel =>
    email({
      addresses: [OURS],
      smtp: { host: '127.0.0.1', port: server.port },
      receive: {
        imap: {
          host: '127.0.0.1',
          port: dovecot.port,
          secure: false,
          plaintext: true,
          user: 'support',
          password: PASSWORD,
          ...imap,
        },
      },
      mailBytes,
    })

  async function scene(mailBytes?: number) {
    const channel = channelOf({}, mailBytes)
    const relay = await relayOf({ channels: { serviceSid: defaultServiceSid(ACCOUNT), channels: [channel] } })
    const alice = await connected('alice', relay)
    const [conversation] = await together(alice)
    await conversation!.addNonChatParticipant(OURS, EVE)
    await decided(alice)
    await conversation!.sendMessage('hello')
    await server.until(() => server.letters.length > 0)
    return { channel, conversation: conversation!, reply: server.letters[0]!.envelopeFrom }
  }

  const mail = (to: string, text: string, from = EVE) =>
    `From: <${from}>\nTo: <${to}>\nSubject: Re: Tea\nMessage-ID: <${text.slice(0, 20)}@people.test>\n\n${text}\n`

  test('gives its answers to the conversation, as it announces them; refused ones are flagged', async () => {
    const { conversation, reply } = await scene()
    await dovecot.deliver(mail(reply, 'first'))
    await shows(conversation, ['0 hello', '1 first'])
    await dovecot.deliver(mail(OURS, 'forged'))
    await dovecot.deliver(mail(reply, 'x'.repeat(20_000)))
    await dovecot.deliver(mail(reply, 'second'))
    await shows(conversation, ['0 hello', '1 first', '2 second'])
    await when(async () => (await dovecot.flags()).join() === 'S,FS,FS,S')
  })

  test('is watched again when its server was away', async () => {
    const { channel, conversation, reply } = await scene()
    await when(async () => channel.status().detail.includes('watches'))
    await dovecot.restart()
    await dovecot.deliver(mail(reply, 'while you were away'))
    await shows(conversation, ['0 hello', '1 while you were away'])
  })

  test('flags mails that break parsers, looks at each once, and goes on behind them', async () => {
    const { conversation, reply } = await scene(1_000_000)
    for (const poison of poisons(EVE, reply)) await dovecot.deliver(poison)
    await dovecot.deliver(mail(reply, 'and a good one'))
    await when(async () => (await shown(conversation)).at(-1)?.endsWith('and a good one') ?? false)
    await when(async () => (await dovecot.flags()).every((flags) => flags.includes('S')))
  })

  test.each([
    ['a wrong password', { password: 'wrong' }, 'refuses the login of support: are user and password right?'],
    ['a port where nothing listens', { port: 1 }, 'nothing listens at 127.0.0.1:1: are host and port right?'],
    ['TLS that the server does not speak', { secure: true }, 'speaks no TLS from the start'],
    ['a password that would be said in the clear', { plaintext: false }, 'offers no STARTTLS'],
    ['a mailbox that is not there', { mailbox: 'Nowhere' }, 'says of Nowhere: '],
  ])('that cannot be read for %s says what to mend, and stops at once', async (_, imap, what) => {
    const channel = channelOf(imap)
    const log = { info() {}, warn() {} }
    await channel.start({
      received: async () => 'refused',
      reported: async () => {},
      joined: async () => null,
      joinedAndPosted: async () => {},
      log,
    })
    await when(async () => channel.status().detail.includes('no mailbox'))
    expect(channel.status().isConnected).toBe(false)
    expect(channel.status().detail).toContain(what)
    await channel.stop()
  })
})

describe.skipIf(!hasDovecot)('a mailbox behind TLS', () => {
  let dovecot: Dovecot
  beforeEach(async () => {
    dovecot = await Dovecot.start({ tls: true })
  })
  afterEach(() => dovecot.stop())

  async function watching(imap: Partial<ImapOptions>) {
    const channel = email({
      addresses: [OURS],
      smtp: { host: '127.0.0.1' },
      acceptUnverified: true,
      receive: { imap: { host: '127.0.0.1', user: 'support', password: PASSWORD, ...imap } },
    })
    const bodies: string[] = []
    await channel.start({
      received: async ({ body }) => {
        bodies.push(body)
        return 'posted'
      },
      reported: async () => {},
      joined: async () => null,
      joinedAndPosted: async () => {},
      log: { info() {}, warn() {} },
    })
    return { channel, bodies }
  }

  test.each([
    ['from the start', () => ({ port: dovecot.tlsPort })],
    ['by STARTTLS', () => ({ port: dovecot.port, secure: false })],
  ])('is read %s', async (_, where) => {
    const { channel, bodies } = await watching({ ...where(), ca: dovecot.certificate })
    await dovecot.deliver(`From: <${EVE}>\nTo: <${OURS}>\nSubject: x\n\nsealed\n`)
    await when(() => bodies.join() === 'sealed')
    await channel.stop()
  })

  test.each([
    ['from the start', () => ({ port: dovecot.tlsPort })],
    ['by STARTTLS', () => ({ port: dovecot.port, secure: false })],
  ])('whose certificate nobody vouches for is not read %s', async (_, where) => {
    const { channel } = await watching(where())
    await when(() => channel.status().detail.includes('no mailbox'))
    expect(channel.status().detail).toContain('the certificate of 127.0.0.1 is not valid')
    await channel.stop()
  })
})
