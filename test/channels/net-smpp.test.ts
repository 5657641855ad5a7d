/** SMS by SMPP against a message centre that shares no code with the relay's library: Perl's Net::SMPP. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { smpp } from '@confab/relay'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultServiceSid } from '../../packages/core/src/sid.ts'
import { connected, decided, relayOf, shows, together, when } from '../conformance/stage.ts'
import { ACCOUNT } from '../support/relay.ts'
import { hasServer } from './servers.ts'
import { warningOfWrongPassword } from './smsc.ts'

const OURS = '+15550009999'
const PHONE = '+15550001111'
const hasPerl = hasServer('net-smpp')

interface Line {
  port?: number
  bound?: 0 | 1
  ended?: 1
  enquired?: 1
  submitted?: string
  acknowledged?: number
  status?: number
  from?: string
  to?: string
  coding?: number
  esmClass?: number
  wantsReceipt?: number
  hex?: string
}

class Centre {
  readonly lines: Line[] = []
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  #waiting: (() => void)[] = []

  constructor() {
    const file = join(import.meta.dirname, 'smsc.pl')
    this.#child = spawn('perl', [file], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface(this.#child.stdout).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line)
      for (const resolve of this.#waiting.splice(0)) resolve()
    })
  }

  /** The line at this place among those that have the key, once it is said. */
  async line(key: keyof Line, at = 0): Promise<Line> {
    for (;;) {
      const found = this.lines.filter((line) => line[key] !== undefined)[at]
      if (found) return found
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  deliver(hex: string, options: { esmClass?: number; coding?: number } = {}): void {
    const told = { from: PHONE.slice(1), to: OURS.slice(1), hex, ...options }
    this.#child.stdin.write(`${JSON.stringify(told)}\n`)
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

const hexOf = (text: string) => Buffer.from(text, 'latin1').toString('hex')
const ucs2 = (text: string) => Buffer.from(text, 'utf16le').swap16().toString('hex')

describe.skipIf(!hasPerl)('a message centre by Net::SMPP', () => {
  let centre: Centre
  beforeEach(() => {
    centre = new Centre()
  })
  afterEach(() => centre.stop())

  async function scene() {
    const { port = 0 } = await centre.line('port')
    const channel = smpp({
      host: '127.0.0.1',
      port,
      systemId: 'confab',
      password: 'secret',
      addresses: [OURS],
      perSecond: 1000,
      enquireLink: 50,
    })
    const relay = await relayOf({ channels: { serviceSid: defaultServiceSid(ACCOUNT), channels: [channel] } })
    expect(await centre.line('bound')).toEqual({ bound: 1 })
    const alice = await connected('alice', relay)
    const [conversation] = await together(alice)
    await conversation!.addNonChatParticipant(OURS, PHONE)
    await decided(alice)
    const receiptOf = async () =>
      (await (await conversation!.getMessages()).items.at(-1)!.getDetailedDeliveryReceipts())[0]
    return { conversation: conversation!, receiptOf }
  }

  test('is sent a message, and its receipt is known', async () => {
    const { conversation, receiptOf } = await scene()
    await conversation.sendMessage('Hello Perl')
    expect(await centre.line('submitted')).toEqual({
      submitted: 'perl-1',
      from: OURS.slice(1),
      to: PHONE.slice(1),
      coding: 0,
      esmClass: 0,
      wantsReceipt: 1,
      hex: hexOf('Hello Perl'),
    })
    await when(async () => (await receiptOf())?.status === 'sent')
    const receipt =
      'id:perl-1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:'
    centre.deliver(hexOf(receipt), { esmClass: 4 })
    await when(async () => (await receiptOf())?.status === 'delivered')
    expect((await centre.line('acknowledged')).status).toBe(0)
  })

  test('is sent a long message and Japanese in parts that say so, each of 140 bytes at most', async () => {
    const { conversation } = await scene()
    const [long, japanese] = ['0123456789'.repeat(20), 'よろしく'.repeat(20)] as const
    await conversation.sendMessage(long)
    await conversation.sendMessage(japanese)
    const parts = await Promise.all([0, 1, 2, 3].map((at) => centre.line('submitted', at)))
    const read = parts.map(({ hex = '', esmClass, coding }) => {
      const bytes = Buffer.from(hex, 'hex')
      const content = bytes.subarray(6)
      return {
        header: [...bytes.subarray(0, 6)].map((byte, at) => (at === 3 ? 'reference' : byte)),
        text: coding === 8 ? Buffer.from(content).swap16().toString('utf16le') : content.toString('latin1'),
        esmClass,
      }
    })
    expect(read.map(({ header }) => header)).toEqual(
      [1, 2, 1, 2].map((number) => [5, 0, 3, 'reference', 2, number]),
    )
    expect(read[0]!.text + read[1]!.text).toBe(long)
    expect(read[2]!.text + read[3]!.text).toBe(japanese)
    expect(parts.map(({ esmClass }) => esmClass)).toEqual([0x40, 0x40, 0x40, 0x40])
    // the last part asks for the receipt
    expect(parts.map(({ wantsReceipt }) => wantsReceipt)).toEqual([0, 1, 0, 1])
    expect(Math.max(...parts.slice(2).map(({ hex = '' }) => hex.length / 2))).toBeLessThanOrEqual(140)
  })

  test('delivers what a phone sends: GSM-7, Japanese, and one in two parts that come the wrong way round', async () => {
    const { conversation } = await scene()
    centre.deliver(hexOf('Hello relay'))
    await shows(conversation, ['0 Hello relay'])
    centre.deliver(ucs2('こんにちは'), { coding: 8 })
    await shows(conversation, ['0 Hello relay', '1 こんにちは'])
    centre.deliver(`050003070202${hexOf('two')}`, { esmClass: 0x40 })
    centre.deliver(`050003070201${hexOf('one ')}`, { esmClass: 0x40 })
    await shows(conversation, ['0 Hello relay', '1 こんにちは', '2 one two'])
    for (const at of [0, 1, 2, 3]) expect((await centre.line('acknowledged', at)).status).toBe(0)
  })

  test('hears signs of life, and a wrong password is said', async () => {
    await scene()
    await centre.line('enquired', 2)
    const { port = 0 } = await centre.line('port')
    expect(await warningOfWrongPassword(port)).toContain('are system id and password right?')
  })
})
