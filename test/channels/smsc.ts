/** A message centre: the `smpp` package's server, with phones that answer. It decodes what it is sent by itself. */
import type { AddressInfo } from 'node:net'
import { smpp as channel } from '@confab/relay'
import smpp, { type Pdu, type Server, type Session } from 'smpp'

/** What a channel warns of that binds at this port with a password that isn't the one. */
export async function warningOfWrongPassword(port: number): Promise<string> {
  const wrong = channel({
    host: '127.0.0.1',
    port,
    systemId: 'confab',
    password: 'not it',
    addresses: ['+15550002222'],
  })
  const { promise: warned, resolve } = Promise.withResolvers<string>()
  const nothing = async () => {
    throw new Error('not expected')
  }
  await wrong.start({
    received: nothing,
    reported: nothing,
    joined: nothing,
    joinedAndPosted: nothing,
    log: { info() {}, warn: (_, message) => resolve(message) },
  })
  try {
    return await warned
  } finally {
    await wrong.stop()
  }
}

export interface Delivered {
  from: string
  to: string
  text: string
  /** How many parts it came in. */
  parts: number
  encoding: number
  id: string
}

export class Smsc {
  readonly delivered: Delivered[] = []
  readonly sessions: Session[] = []
  readonly port: number
  /** Error statuses that the next submissions are answered with. */
  readonly refusals: number[] = []
  /** What becomes of delivered messages: the receipt's `stat`; none while undefined. */
  stat: string | undefined = 'DELIVRD'
  acknowledged = 0
  /** Receipts that nobody has acknowledged: told again to whoever binds next. */
  readonly #untold = new Map<string, object>()
  readonly #server: Server
  readonly #parts = new Map<string, { total: number; texts: Map<number, string> }>()
  #lastId = 0
  #waiting: (() => void)[] = []

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  static async start(port = 0): Promise<Smsc> {
    let smsc: Smsc | undefined
    const server = smpp.createServer((session) => smsc?.serve(session))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    smsc = new Smsc(server)
    return smsc
  }

  async stop(): Promise<void> {
    for (const session of [...this.sessions]) session.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Ends every connection, as a centre that restarts does. */
  cut(): void {
    for (const session of [...this.sessions]) session.destroy()
  }

  /** Resolves when it holds; it is asked again whenever something happened. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** A person sends. Resolves with the status of the relay's answer. */
  sendAs(from: string, to: string, text: string, options: object = {}): Promise<number> {
    return this.deliver({
      source_addr: from.slice(1),
      destination_addr: to.slice(1),
      short_message: { message: text },
      ...options,
    })
  }

  deliver(pdu: object): Promise<number> {
    const session = this.sessions.at(-1)
    if (!session) throw new Error('Nobody is bound')
    return new Promise((resolve) => session.deliver_sm(pdu, (answer) => resolve(answer.command_status)))
  }

  serve(session: Session): void {
    session.on('error', () => {})
    session.on('bind_transceiver', (pdu: Pdu) => {
      const isRight = pdu.system_id === 'confab' && pdu.password === 'secret'
      session.send(pdu.response(isRight ? {} : { command_status: 0x0e }))
      if (isRight) {
        this.sessions.push(session)
        for (const [id, pdu] of this.#untold) this.#tellReceipt(session, id, pdu)
      }
      this.#tell()
    })
    session.on('close', () => {
      const at = this.sessions.indexOf(session)
      if (at >= 0) this.sessions.splice(at, 1)
      this.#tell()
    })
    session.on('enquire_link', (pdu: Pdu) => session.send(pdu.response()))
    session.on('unbind', (pdu: Pdu) => {
      session.send(pdu.response())
      session.close()
    })
    session.on('submit_sm', (pdu: Pdu) => this.#submitted(session, pdu))
  }

  #submitted(session: Session, pdu: Pdu): void {
    const refusal = this.refusals.shift()
    if (refusal !== undefined) {
      session.send(pdu.response({ command_status: refusal }))
      this.#tell()
      return
    }
    const id = `smsc-${++this.#lastId}`
    session.send(pdu.response({ message_id: id }))
    const { message, udh } = pdu.short_message as { message: string; udh?: Buffer[] }
    const [from, to] = [`+${pdu.source_addr}`, `+${pdu.destination_addr}`]
    const header = udh?.[0]
    const whole = header
      ? this.#join(`${from} ${to} ${header[2]}`, header, message)
      : { text: message, parts: 1 }
    if (whole) {
      this.delivered.push({ from, to, ...whole, encoding: pdu.data_coding ?? 0, id })
      if (this.stat && pdu.registered_delivery) this.receipt(session, id, this.stat)
    }
    this.#tell()
  }

  receipt(session: Session, id: string, stat: string): void {
    const text = `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:${stat} err:${/DELIVRD|ENROUTE/.test(stat) ? '000' : '042'} text:`
    const pdu = { esm_class: 4, short_message: { message: text } }
    this.#untold.set(id, pdu)
    this.#tellReceipt(session, id, pdu)
  }

  #tellReceipt(session: Session, id: string, pdu: object): void {
    session.deliver_sm(pdu, (answer) => {
      if (answer.command_status !== 0) return
      this.#untold.delete(id)
      this.acknowledged++
      this.#tell()
    })
  }

  #join(key: string, header: Buffer, text: string): { text: string; parts: number } | null {
    const [total, number] = [header[3] as number, header[4] as number]
    const joining = this.#parts.get(key) ?? { total, texts: new Map<number, string>() }
    this.#parts.set(key, joining)
    joining.texts.set(number, text)
    if (joining.texts.size < total) return null
    this.#parts.delete(key)
    return {
      text: [...joining.texts]
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one)
        .join(''),
      parts: total,
    }
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
