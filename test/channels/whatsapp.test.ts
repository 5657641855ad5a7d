/** WhatsApp by the Cloud API, against a local server that keeps to the published contract. */
import type { Conversation } from '@confab/client'
import { whatsAppCloud } from '@confab/relay'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import { connected, decided, relayOf, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { channelSuite } from './channel-suite.ts'
import { GraphServer, WHATSAPP } from './graph-server.ts'

const PHONE = 'whatsapp:+15550001111'

channelSuite('WhatsApp', async () => {
  const provider = await GraphServer.start()
  return {
    ours: WHATSAPP.address,
    theirs: PHONE,
    channel: (perSecond) =>
      whatsAppCloud({ ...WHATSAPP, graphUrl: provider.url, ...(perSecond && { perSecond }) }),
    taken: () => provider.sent.map(({ to, text }) => ({ to: `whatsapp:+${to}`, body: text.body })),
    until: (condition) => provider.until(condition),
    refuse: (kind) => provider.refusals.push(kind === 'temporary' ? [429, 130429] : [400, 131026]),
    says: async ({ webhook }, id, body) => (await provider.says(webhook, id, PHONE, body)) === 200,
    reports: ({ webhook }, name, status) =>
      provider.reports(webhook, name, status === 'early' ? 'sent' : status),
    namesInbound: true,
    stop: () => provider.stop(),
  }
})

let graph: GraphServer
beforeEach(async () => {
  graph = await GraphServer.start()
})
afterEach(() => graph.stop())

async function scene() {
  const relay = await relayOf({
    channels: {
      serviceSid: defaultServiceSid(ACCOUNT),
      channels: [whatsAppCloud({ ...WHATSAPP, graphUrl: graph.url })],
    },
  })
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  await conversation!.addNonChatParticipant(WHATSAPP.address, PHONE)
  await decided(alice)
  return { relay, conversation: conversation!, webhook: `${relay.httpUrl}/channels/whatsapp` }
}

const statusOf = async (conversation: Conversation) => {
  const message = (await conversation.getMessages()).items.at(-1)
  const [receipt] = (await message?.getDetailedDeliveryReceipts()) ?? []
  return receipt && [receipt.status, receipt.errorCode]
}

test('a message goes out once, and its statuses come back, in whichever order', async () => {
  const { conversation, webhook } = await scene()
  await conversation.sendMessage('Hello 👋')
  await graph.until(() => graph.sent.length === 1)
  expect(graph.sent[0]).toMatchObject({ to: '15550001111', type: 'text', text: { body: 'Hello 👋' } })
  expect(await graph.reports(webhook, 'wamid.1', 'read')).toBe(200)
  expect(await graph.reports(webhook, 'wamid.1', 'delivered')).toBe(200)
  await when(async () => (await statusOf(conversation))?.[0] === 'read')
})

test('attachments that are gone, places and answers to buttons are named, so that nobody misses them', async () => {
  const { conversation, webhook } = await scene()
  const base = { from: '15550001111', timestamp: '1767225600' }
  await graph.tell(webhook, {
    messages: [
      { ...base, id: 'a', type: 'image', image: { caption: 'the meter', mime_type: 'image/jpeg', id: '1' } },
      { ...base, id: 'b', type: 'document', document: { filename: 'form.pdf', id: '2' } },
      { ...base, id: 'c', type: 'interactive', interactive: { button_reply: { id: '1', title: 'Yes' } } },
    ],
  })
  await shows(conversation, ['0 the meter\n[an attachment that is gone]', '1 [form.pdf]', '2 Yes'])
})

test('a webhook without a valid signature is refused, and nothing of it is taken', async () => {
  const { conversation, webhook } = await scene()
  expect(await graph.says(webhook, 'wamid.x', PHONE, 'forged', 'another secret')).toBe(403)
  const unsigned = await fetch(webhook, { method: 'POST', body: '{}' })
  expect(unsigned.status).toBe(403)
  await graph.says(webhook, 'wamid.y', PHONE, 'genuine')
  await shows(conversation, ['0 genuine'])
})

test('the verification of the webhook answers the challenge, and only to the right token', async () => {
  const { webhook } = await scene()
  const ask = async (token: string) => {
    const query = new URLSearchParams({
      'hub.mode': 'subscribe',
      'hub.verify_token': token,
      'hub.challenge': '42',
    })
    const response = await fetch(`${webhook}?${query}`)
    return [response.status, await response.text()]
  }
  expect(await ask(WHATSAPP.verifyToken)).toEqual([200, '42'])
  expect((await ask('a guess'))[0]).toBe(403)
})

test('throttling is waited for; a window that is closed fails with its code', async () => {
  const { conversation } = await scene()
  graph.refusals.push([429, 130429])
  await conversation.sendMessage('after a while')
  await graph.until(() => graph.sent.length === 1)
  graph.refusals.push([400, 131047])
  await conversation.sendMessage('too late')
  await when(async () => (await statusOf(conversation))?.[0] === 'failed')
  expect(await statusOf(conversation)).toEqual(['failed', '131047'])
})

test('a failure that is told later comes with its code', async () => {
  const { conversation, webhook } = await scene()
  await conversation.sendMessage('Hello')
  await graph.until(() => graph.sent.length === 1)
  await graph.reports(webhook, 'wamid.1', 'failed', [{ code: 131026 }])
  await when(async () => (await statusOf(conversation))?.[0] === 'failed')
  expect(await statusOf(conversation)).toEqual(['failed', '131026'])
})

test('webhooks that are none, or too large, are answered and change nothing', async () => {
  const { webhook, relay } = await scene()
  expect(await graph.tell(webhook, { messages: 'none' })).toBe(400)
  expect((await fetch(webhook, { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) })).status).toBe(413)
  expect((await fetch(`${relay.httpUrl}/channels/nobody`, { method: 'POST' })).status).toBe(404)
  expect(relay.failures).toEqual([])
})

test('a picture that a person sends is an attachment of their message, once', async () => {
  const { conversation, webhook } = await scene()
  graph.media.set('photo', { type: 'image/jpeg', content: new Uint8Array([255, 216, 255, 0]) })
  const image = { caption: 'the meter', mime_type: 'image/jpeg', id: 'photo' }
  const told = { messages: [{ from: '15550001111', timestamp: '1767225600', id: 'a', type: 'image', image }] }
  expect([await graph.tell(webhook, told), await graph.tell(webhook, told)]).toEqual([200, 200])
  await shows(conversation, ['0 the meter'])
  const [message] = (await conversation.getMessages()).items
  const [media] = message?.attachedMedia ?? []
  expect(media).toMatchObject({ contentType: 'image/jpeg', size: 4 })
  expect([...new Uint8Array(await (await media!.getContent()).arrayBuffer())]).toEqual([255, 216, 255, 0])
})

const withFiles = (conversation: Conversation, types: string[]) => {
  const draft = conversation.prepareMessage().setBody('Look')
  for (const [at, contentType] of types.entries())
    draft.addMedia({ contentType, filename: `file-${at}`, media: new Uint8Array([at, 255]) })
  return draft.build().send()
}

test('attachments go behind the text, each as its kind; what WhatsApp does not carry is named', async () => {
  const { conversation } = await scene()
  await withFiles(conversation, ['image/png', 'application/pdf', 'application/x-thing'])
  await graph.until(() => graph.sent.length === 3)
  expect(graph.sent.map(({ type }) => type)).toEqual(['text', 'image', 'document'])
  expect(graph.sent[0]!.text.body).toMatch(/^Look\n\[file-2: not sent, [^\]]+\]$/)
  expect(graph.sent[2]!.document).toEqual({ id: 'media-2', filename: 'file-1' })
  expect([...graph.media.get('media-1')!.content]).toEqual([0, 255])
  expect(graph.media.get('media-1')!.type).toBe('image/png')
})

test('a file that WhatsApp refuses leaves the text delivered, which says so', async () => {
  const { conversation } = await scene()
  graph.mediaRefusals.push([400, 131053])
  await withFiles(conversation, ['image/png'])
  await graph.until(() => graph.sent.length === 1)
  expect(graph.sent[0]!.text.body).toBe('Look\n[file-0: not sent, WhatsApp refuses it]')
  await when(async () => (await statusOf(conversation))?.[0] === 'sent')
})
