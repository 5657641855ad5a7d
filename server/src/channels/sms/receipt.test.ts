import { expect, test } from 'vitest'
import { readReceipt } from './receipt.ts'

const TEXT =
  'id:0123 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:Hello'

test.each([
  ['by its text', { text: TEXT }, { channelMessageSid: '0123', status: 'delivered' }],
  ['in other letters', { text: TEXT.toLowerCase() }, { channelMessageSid: '0123', status: 'delivered' }],
  [
    'by TLVs, which outweigh it',
    { text: TEXT, messageId: 'abc', state: 5 },
    { channelMessageSid: 'abc', status: 'undelivered', errorCode: 30008 },
  ],
  [
    'with an error',
    { text: TEXT.replace('DELIVRD', 'UNDELIV').replace('000 text', '034 text') },
    { channelMessageSid: '0123', status: 'undelivered', errorCode: 34 },
  ],
  ['on its way', { text: TEXT.replace('DELIVRD', 'ENROUTE') }, { channelMessageSid: '0123', status: 'sent' }],
  ['without an id', { text: 'stat:DELIVRD' }, null],
  ['in an unknown state', { text: TEXT.replace('DELIVRD', 'UNKNOWN'), state: 7 }, null],
])('a receipt %s', (_, fields, report) => {
  expect(readReceipt(fields)).toEqual(report)
})
