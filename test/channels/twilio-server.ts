/** A local server that keeps to the published contract of Twilio's Messages resource. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import twilio from 'twilio'

export const TWILIO = { accountSid: `AC${'7'.repeat(32)}`, authToken: 'an auth token of the tests' }

export class TwilioServer {
  readonly sent: { [name: string]: string }[] = []
  readonly refusals: [status: number, code: number][] = []
  readonly url: string
  readonly #server: Server
  #waiting: (() => void)[] = []

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(): Promise<TwilioServer> {
    let fake: TwilioServer | undefined
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      const [status, answer] = fake?.answer(request.url ?? '', request.headers.authorization, body) ?? [
        500,
        {},
      ]
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    fake = new TwilioServer(server)
    return fake
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  answer(path: string, authorization: string | undefined, body: string): [number, object] {
    const { accountSid, authToken } = TWILIO
    if (path !== `/2010-04-01/Accounts/${accountSid}/Messages.json`)
      return [404, { code: 20404, message: 'Not found', status: 404 }]
    if (authorization !== `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`) {
      return [401, { code: 20003, message: 'Authenticate', status: 401 }]
    }
    const refusal = this.refusals.shift()
    if (refusal) return [refusal[0], { code: refusal[1], message: 'Refused', status: refusal[0] }]
    const sid = `SM${String(this.sent.length + 1).padStart(32, '0')}`
    this.sent.push({ ...Object.fromEntries(new URLSearchParams(body)), sid })
    for (const resolve of this.#waiting.splice(0)) resolve()
    return [
      201,
      {
        sid,
        status: 'queued',
        account_sid: accountSid,
        date_created: null,
        date_sent: null,
        date_updated: null,
      },
    ]
  }

  /** Calls the relay's webhook at its public address, which leads here to `reached`. */
  async tell(
    publicUrl: string,
    reached: string,
    parameters: { [name: string]: string },
    token = TWILIO.authToken,
  ): Promise<number> {
    const signature = twilio.getExpectedTwilioSignature(token, publicUrl, parameters)
    const response = await fetch(reached, {
      method: 'POST',
      headers: { 'x-twilio-signature': signature },
      body: new URLSearchParams(parameters),
    })
    return response.status
  }
}
