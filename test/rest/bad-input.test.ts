/** Whatever a request says, it is answered in Twilio's form, says what was wrong, and changes nothing. */
import { connect } from 'node:net'
import { beforeEach, describe, expect, test } from 'vitest'
import { ACCOUNT, onStage, SERVICE, type Stage, TOKEN } from './stage.ts'

let stage: Stage
let conversation: string
beforeEach(async () => {
  stage = await onStage()
  conversation = (await stage.rest.conversations.create({ uniqueName: 'tea' })).sid
})

const authorization = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`
const FORM = 'application/x-www-form-urlencoded'

async function ask(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>, type = FORM) {
  const response = await fetch(stage.httpUrl + path, {
    method,
    headers: { authorization, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const { code, message } = text === '' ? {} : (JSON.parse(text) as { code?: number; message?: string })
  return { code, message, status: response.status, headers: response.headers }
}

describe('is refused, with the name of what was wrong:', () => {
  const wrong: [name: string, path: string, form: string, message: RegExp][] = [
    ['an unknown field', '/v1/Conversations', 'Colour=red', /Unknown field Colour/],
    ['a field by another case', '/v1/Conversations', 'friendlyname=x', /Unknown field friendlyname/],
    ['a field of the prototype', '/v1/Conversations', '__proto__=x&constructor=y', /Unknown field __proto__/],
    [
      'a field given twice',
      '/v1/Conversations',
      'FriendlyName=a&FriendlyName=b',
      /FriendlyName is given 2 times/,
    ],
    ['attributes that are no JSON', '/v1/Conversations', 'Attributes={', /Attributes must be valid JSON/],
    [
      'attributes without end',
      '/v1/Conversations',
      `Attributes=${'['.repeat(500)}${']'.repeat(500)}`,
      /Attributes/,
    ],
    ['a state that is none', '/v1/Conversations', 'State=asleep', /State/],
    ['a date that is none', '/v1/Conversations', 'DateCreated=today', /DateCreated must be a date/],
    ['a name beyond its length', '/v1/Conversations', `FriendlyName=${'x'.repeat(257)}`, /256/],
    ['somebody without a name', '/v1/Conversations/tea/Participants', '', /Identity/],
    [
      'a boolean that is none',
      `/v1/Services/${SERVICE}/Configuration`,
      'ReachabilityEnabled=maybe',
      /ReachabilityEnabled must be true or false/,
    ],
    ['a missing field', '/v1/Services', '', /FriendlyName is needed/],
    ['too many fields', '/v1/Roles', 'Permission=sendMessage&'.repeat(201), /At most 200 fields/],
    [
      'a horizon that is no number',
      '/v1/Conversations/tea/Participants/x',
      'LastReadMessageIndex=-1',
      /LastReadMessageIndex/,
    ],
  ]
  test.each(wrong)('%s', async (_, path, form, message) => {
    const before = await stage.rest.conversations.list()
    const said = await ask('POST', path, form)
    expect(said.message).toMatch(message)
    expect(said.status).toBe(400)
    expect(said.headers.get('content-type')).toMatch(/^application\/json/)
    expect(await stage.rest.conversations.list()).toHaveLength(before.length)
    expect(stage.failures).toEqual([])
  })

  test.each([
    ['PageSize=0', /PageSize/],
    ['PageSize=many', /PageSize must be a whole number/],
    ['Page=3', /follow next_page_url/],
    ['PageToken=PA99999999999999999999', /PageToken/],
    ['PageToken=%00', /PageToken/],
    [`PageToken=${'x'.repeat(600)}`, /PageToken/],
    ['Order=sideways', /Unknown field Order/],
  ])('a page that is none: %s', async (query, message) => {
    const said = await ask('GET', `/v1/Conversations?${query}`)
    expect(said).toMatchObject({ code: 20001, status: 400, message: expect.stringMatching(message) })
  })
})

test('paths that are none, and things that aren’t there, have the same answer', async () => {
  for (const path of [
    '/v1/Nothing',
    '/v1/Conversations/',
    '/v1//Conversations',
    '/v1/Conversations/CH0',
    `/v1/Conversations/CH${'0'.repeat(32)}`,
    `/v1/Conversations/${'x'.repeat(2000)}`,
    '/v1/Conversations/%00',
    '/v1/Conversations/%ff',
    '/v1/Conversations/tea/Messages/IM0',
    '/v1/Conversations/tea/Participants/__proto__',
    `/v1/Services/IS${'0'.repeat(32)}/Conversations`,
    '/v1/Services/IS0/Conversations',
    '/v1/Users/..',
    '/v1/Users/%F0%9F%8D%B5',
    '/2010-04-01/Accounts/AC0/Keys.json',
  ]) {
    const said = await ask('GET', path)
    expect([path, said.status, said.code]).toEqual([path, 404, 20404])
  }
  expect(stage.failures).toEqual([])
})

test('a method that a path doesn’t take, a body that is no form, and one without end, are said so', async () => {
  const put = await ask('PUT', '/v1/Conversations', '')
  expect(put).toMatchObject({ status: 405, code: 20004 })
  expect(put.headers.get('allow')).toBe('POST, GET')
  expect((await ask('DELETE', '/v1/Conversations')).status).toBe(405)
  expect(await ask('POST', '/v1/Conversations', '{}', 'application/json')).toMatchObject({ status: 415 })
  expect(await ask('POST', '/v1/Conversations', 'FriendlyName=x', 'multipart/form-data')).toMatchObject({
    status: 415,
  })
  expect(await ask('POST', '/v1/Conversations', `FriendlyName=${'x'.repeat(600_000)}`)).toMatchObject({
    status: 413,
  })
  expect(await ask('POST', '/v1/Conversations', `${FORM}; charset=utf-8`)).toMatchObject({ status: 400 })
  expect(await ask('POST', '/v1/Conversations', 'FriendlyName=x', `${FORM}; charset=utf-8`)).toMatchObject({
    status: 201,
  })
  expect(stage.failures).toEqual([])
})

test('text that is no Unicode is made well-formed or refused, never stored as it came', async () => {
  const bytes = Uint8Array.from([...Buffer.from('Body='), 0xff, 0xfe, 0x41])
  const said = await ask('POST', `/v1/Conversations/${conversation}/Messages`, bytes)
  expect(said.status).toBe(201)
  const [message] = await stage.rest.conversations(conversation).messages.list()
  expect(message?.body.isWellFormed()).toBe(true)
})

test('a body that never ends is let go of, and everybody else is answered meanwhile', async () => {
  const port = Number(new URL(stage.httpUrl).port)
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `POST /v1/Conversations HTTP/1.1\r\nHost: relay\r\nAuthorization: ${authorization}\r\nContent-Type: ${FORM}\r\nContent-Length: 100\r\n\r\nFriendly`,
  )
  expect(await stage.rest.conversations.list()).toHaveLength(1)
  socket.destroy()
  expect(await stage.rest.conversations.list()).toHaveLength(1)
  expect(stage.failures).toEqual([])
})
