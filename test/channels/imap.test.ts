/** E-mail that comes in by IMAP: a relay that watches a mailbox of Dovecot's. */
import { type Channel, email } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import type { ImapOptions } from '../../server/src/channels/email/imap.ts'
import { connected, decided, relayOf, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { Dovecot, hasDovecot, PASSWORD } from './dovecot.ts'
import { MailServer } from './mail-server.ts'

const OURS = 'support@relay.test'
const EVE = 'eve@people.test'

if (!hasDovecot) {
  if (process.env.CONFAB_REQUIRE_MAIL === '1') throw new Error('Dovecot (dovecot-imapd) is missing')
  console.warn('SKIPPED: mail by IMAP, because there is no Dovecot (Debian: dovecot-imapd)')
}

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

  const channelOf = (imap: Partial<ImapOptions> = {}): Channel =>
    email({
      addresses: [OURS],
      smtp: { host: '127.0.0.1', port: server.port },
      receive: {
        imap: {
          host: '127.0.0.1',
          port: dovecot.port,
          secure: false,
          user: 'support',
          password: PASSWORD,
          ...imap,
        },
      },
      mailBytes: 10_000,
    })

  async function scene() {
    const channel = channelOf()
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

  test.each([
    ['a wrong password', { password: 'wrong' }, 'refuses the login of support: are user and password right?'],
    ['a port where nothing listens', { port: 1 }, 'nothing listens at 127.0.0.1:1: are host and port right?'],
    ['TLS that the server does not speak', { secure: true }, 'speaks no TLS from the start'],
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
