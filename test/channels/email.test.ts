/** E-mail: a relay, a mail server on a real socket, and people with the SDK who watch. */
import type { Conversation } from '@confab/client'
import { type Channel, type EmailOptions, email, type RelayOptions } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import { connected, decided, relayOf, shown, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { channelSuite } from './channel-suite.ts'
import { answerTo, deliveryReport, type Letter, MailServer, sendTo } from './mail-server.ts'
import { poisons } from './poisons.ts'

const OURS = 'support@relay.test'
const EVE = 'eve@people.test'

let server: MailServer
beforeEach(async () => {
  server = await MailServer.start()
})
afterEach(() => server.stop())

const portOf = (channel: Channel) => (channel as Channel & { port: number }).port

channelSuite('e-mail', async () => {
  const people = await MailServer.start()
  return {
    ours: OURS,
    theirs: EVE,
    channel: (perSecond = 1000) =>
      email({
        addresses: [OURS],
        smtp: { host: '127.0.0.1', port: people.port },
        receive: { smtp: { port: 0 } },
        acceptUnverified: true,
        perSecond,
      }),
    taken: () => people.letters.map(({ to, mail }) => ({ to, body: mail.text?.trim() ?? '' })),
    until: (condition) => people.until(condition),
    refuse: (kind) => people.refusals.push(kind === 'temporary' ? 452 : 550),
    says: async ({ channel }, id, text) =>
      (await sendTo(portOf(channel), { from: EVE, to: OURS, messageId: `<${id}@people.test>`, text })) ===
      250,
    reports: ({ channel }, name, status) =>
      sendTo(portOf(channel), deliveryReport(name, OURS, status === 'early' ? 'delayed' : status, '2.0.0')),
    namesInbound: true,
    stop: () => people.stop(),
  }
})

async function scene(
  options: Partial<EmailOptions> = {},
  channels: object = {},
  more: Partial<RelayOptions> = {},
) {
  const channel = email({
    addresses: [OURS],
    smtp: { host: '127.0.0.1', port: server.port },
    receive: { smtp: { port: 0 } },
    perSecond: 1000,
    ...options,
  })
  const relay = await relayOf({
    channels: { serviceSid: defaultServiceSid(ACCOUNT), channels: [channel], ...channels },
    metrics: { port: 0 },
    ...more,
  })
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  await conversation!.addNonChatParticipant(OURS, EVE)
  await decided(alice)
  return { relay, conversation: conversation!, port: portOf(channel), channel }
}

const posted = async (conversation: Conversation, body: string): Promise<Letter> => {
  const before = server.letters.length
  await conversation.sendMessage(body)
  await server.until(() => server.letters.length > before)
  return server.letters[before] as Letter
}

const statusOf = async (conversation: Conversation) => {
  const message = (await conversation.getMessages()).items.at(-1)
  const [receipt] = (await message?.getDetailedDeliveryReceipts()) ?? []
  return receipt && [receipt.status, receipt.errorCode]
}

describe('sending', () => {
  test('a message is a mail from our address, and all of one conversation are one thread', async () => {
    const { conversation } = await scene()
    const first = await posted(conversation, 'Hello Eve, こんにちは 👋')
    const second = await posted(conversation, 'and again')
    expect(first).toMatchObject({ to: EVE, mail: { subject: 'Tea' } })
    expect(first.mail.from?.value).toEqual([{ name: 'alice', address: OURS }])
    expect(first.mail.text?.trim()).toBe('Hello Eve, こんにちは 👋')
    expect(first.mail.replyTo?.value[0]?.address).toMatch(/^support\+mb[0-9a-f]{32}@relay\.test$/)
    expect([first.mail.references].flat()).toEqual([second.mail.references].flat())
    expect(first.mail.messageId).not.toBe(second.mail.messageId)
    await when(async () => (await statusOf(conversation))?.[0] === 'sent')
  })

  test('a mailbox that is full for now is tried again; one that does not exist fails', async () => {
    const { conversation, relay } = await scene()
    server.refusals.push(452)
    await posted(conversation, 'later')
    server.refusals.push(550)
    await conversation.sendMessage('never')
    await when(async () => (await statusOf(conversation))?.[0] === 'failed')
    expect(await statusOf(conversation)).toEqual(['failed', '550'])
    const figures = await (await fetch(relay.metricsUrl as string)).text()
    expect(figures.match(/^confab_channel_sends_total.*$/gm)?.sort()).toEqual([
      'confab_channel_sends_total{channel="email",result="permanent"} 1',
      'confab_channel_sends_total{channel="email",result="sent"} 1',
      'confab_channel_sends_total{channel="email",result="temporary"} 1',
    ])
  })

  test('a password is not said to a server without TLS', async () => {
    const smtp = { host: '127.0.0.1', port: server.port, user: 'support', password: 'secret' }
    const { channel, conversation } = await scene({ smtp })
    await conversation.sendMessage('hello')
    await when(() => channel.status().detail.includes('a password is said over TLS alone'))
    expect(server.letters).toEqual([])
  })

  test('nothing that a person names a conversation gets out of its header', async () => {
    const { conversation } = await scene()
    await conversation.updateFriendlyName('Tea\r\nBcc: victim@people.test\r\n\r\nbody')
    const letter = await posted(conversation, 'hello')
    expect(letter.mail.subject).toBe('Tea Bcc: victim@people.test body')
    expect(letter.mail.bcc).toBeUndefined()
    expect(letter.mail.text?.trim()).toBe('hello')
  })
})

describe('receiving', () => {
  test('an answer is a message by that person, without what it answers', async () => {
    const { conversation, port } = await scene()
    const letter = await posted(conversation, 'When can you come?\nTuesday?')
    expect(await sendTo(port, answerTo(letter, 'Tuesday is fine.'))).toBe(250)
    await shows(conversation, ['0 When can you come?\nTuesday?', '1 Tuesday is fine.'])
    const message = (await conversation.getMessages()).items.at(-1)
    expect(message).toMatchObject({ author: EVE, subject: 'Re: Tea' })
    expect((await message!.getParticipant()).type).toBe('email')
  })

  test('a mail that says it is from Eve and answers nothing is refused', async () => {
    const { conversation, port } = await scene()
    const letter = await posted(conversation, 'hello')
    const forged = { from: EVE, to: OURS, subject: 'hi', text: 'forged' }
    expect(await sendTo(port, forged)).toBe(550)
    // what Eve was sent proves nothing about somebody else
    expect(await sendTo(port, { ...answerTo(letter, 'forged'), from: 'mallory@people.test' })).toBe(550)
    expect(await sendTo(port, answerTo(letter, 'genuine'))).toBe(250)
    await shows(conversation, ['0 hello', '1 genuine'])
  })

  test('a mail server that is trusted may vouch for a sender, and only in its own words', async () => {
    const { conversation, port } = await scene({ trustAuthenticationResultsOf: 'mx.relay.test' })
    const by = (results: string[]) => ({
      from: EVE,
      to: OURS,
      subject: 'hi',
      text: results.join(),
      headers: { 'Authentication-Results': results },
    })
    expect(await sendTo(port, by(['mx.relay.test; dmarc=fail']))).toBe(550)
    expect(await sendTo(port, by(['mx.evil.test; dmarc=pass']))).toBe(550)
    expect(await sendTo(port, by(['mx.relay.test; dmarc=fail', 'mx.relay.test; dmarc=pass']))).toBe(550)
    expect(await sendTo(port, by(['mx.relay.test; spf=pass; dmarc=pass header.from=people.test']))).toBe(250)
    await shows(conversation, ['0 mx.relay.test; spf=pass; dmarc=pass header.from=people.test'])
  })

  test('out-of-office notes, lists and our own mails are taken and left out', async () => {
    const { conversation, port } = await scene({ acceptUnverified: true })
    const letter = await posted(conversation, 'hello')
    const automatic = [
      { 'Auto-Submitted': 'auto-replied' },
      { Precedence: 'bulk' },
      { 'List-Id': '<all.people.test>' },
      { 'X-Confab-Conversation': conversation.sid },
    ]
    for (const headers of automatic) {
      expect(await sendTo(port, { ...answerTo(letter, 'I am away'), headers })).toBe(250)
    }
    await sendTo(port, { ...answerTo(letter, 'I am here'), headers: { 'Auto-Submitted': 'no' } })
    await shows(conversation, ['0 hello', '1 I am here'])
  })

  test('a mail that bounces later makes its message undelivered, with the code of the bounce', async () => {
    const { conversation, port } = await scene()
    const { mail, envelopeFrom } = await posted(conversation, 'hello')
    const code = await sendTo(port, deliveryReport(mail.messageId ?? '', envelopeFrom, 'failed', '5.1.1'))
    expect(code).toBe(250)
    await when(async () => (await statusOf(conversation))?.[0] === 'undelivered')
    expect(await statusOf(conversation)).toEqual(['undelivered', '511'])
  })

  test('what is for nobody here, or too large, is refused at the door', async () => {
    const { port } = await scene({ mailBytes: 10_000, acceptUnverified: true })
    expect(await sendTo(port, { from: EVE, to: 'nobody@relay.test', text: 'x' })).toBe(550)
    expect(await sendTo(port, { from: EVE, to: OURS, text: 'x'.repeat(20_000) })).toBe(552)
  })

  test('a mail that breaks parsers is taken or refused for good, and the next one is taken', async () => {
    const { conversation, port, relay } = await scene({ acceptUnverified: true })
    for (const poison of poisons(EVE, OURS)) {
      const code = await sendTo(port, { envelope: { from: EVE, to: [OURS] }, raw: poison })
      // 451 would have it told again for ever
      expect([250, 550]).toContain(code)
    }
    expect(await sendTo(port, { from: EVE, to: OURS, text: 'and a good one' })).toBe(250)
    await when(async () => (await shown(conversation)).at(-1)?.endsWith('and a good one') ?? false)
    expect(relay.failures).toEqual([])
  })

  test('a stranger begins a conversation where the address says so', async () => {
    const configuration = { address: OURS, autoCreate: { identities: ['alice'] } }
    const { relay, port } = await scene({ acceptUnverified: true }, { addresses: [configuration] })
    expect(
      await sendTo(port, { from: 'Frank <frank@people.test>', to: OURS, subject: 'Broken', text: 'Help' }),
    ).toBe(250)
    const alice = await connected('alice', relay)
    await when(async () => (await alice.getSubscribedConversations()).items.length === 2)
    const all = (await alice.getSubscribedConversations()).items
    const begun = all.find(({ friendlyName }) => friendlyName === 'frank@people.test') as Conversation
    await shows(begun, ['0 Help'])
  })

  test('what is attached is an attachment of the message, once', async () => {
    const { conversation, port } = await scene()
    const letter = await posted(conversation, 'hello')
    const mail = {
      ...answerTo(letter, 'see'),
      messageId: '<with-a-file@people.test>',
      attachments: [{ filename: 'a.pdf', content: Buffer.from([0, 1, 2, 255]) }],
    }
    expect([await sendTo(port, mail), await sendTo(port, mail)]).toEqual([250, 250])
    await shows(conversation, ['0 hello', '1 see'])
    const message = (await conversation.getMessages()).items.at(-1)
    const [media] = message?.attachedMedia ?? []
    expect(media).toMatchObject({ filename: 'a.pdf', contentType: 'application/pdf', size: 4 })
    const content = await media!.getContent()
    expect([...new Uint8Array(await content.arrayBuffer())]).toEqual([0, 1, 2, 255])
  })

  test('an attachment that the relay does not take is named, and the text is there', async () => {
    const { conversation, port } = await scene({}, {}, { media: { types: ['image/*'] } })
    const letter = await posted(conversation, 'hello')
    await sendTo(port, { ...answerTo(letter, 'see'), attachments: [{ filename: 'a.pdf', content: 'x' }] })
    await shows(conversation, ['0 hello', '1 see\n[a.pdf]'])
  })
})

describe('attachments', () => {
  test('go with the mail, as they are', async () => {
    const { conversation } = await scene()
    const content = new Uint8Array([255, 0, 13, 10, 46, 13, 10])
    const before = server.letters.length
    await conversation
      .prepareMessage()
      .setBody('Look')
      .addMedia({ contentType: 'image/png', filename: 'cat.png', media: content })
      .build()
      .send()
    await server.until(() => server.letters.length > before)
    const { mail } = server.letters[before]!
    expect(mail.text?.trim()).toBe('Look')
    expect(mail.attachments.map(({ filename, contentType }) => [filename, contentType])).toEqual([
      ['cat.png', 'image/png'],
    ])
    expect([...mail.attachments[0]!.content]).toEqual([...content])
  })

  test('that are too large stay, and the mail says so', async () => {
    const { conversation } = await scene({ attachmentBytes: 5 })
    const before = server.letters.length
    await conversation
      .prepareMessage()
      .setBody('Look')
      .addMedia({ contentType: 'image/png', filename: 'cat.png', media: new Uint8Array(6) })
      .build()
      .send()
    await server.until(() => server.letters.length > before)
    const { mail } = server.letters[before]!
    expect(mail.attachments).toEqual([])
    expect(mail.text?.trim()).toMatch(/^Look\n\[cat\.png: not sent, too large/)
  })
})
