/** Files for people in the web app, and what of them goes to the relay. */
import type { BrowserContext, Locator, Page, Request } from 'playwright-core'

/** A picture of so many pixels, made in the page. */
export async function picture(page: Page, width: number, height: number, hue = 30): Promise<Buffer> {
  const url = await page.evaluate(
    ({ width, height, hue }) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const context = canvas.getContext('2d') as CanvasRenderingContext2D
      const sky = context.createLinearGradient(0, 0, width, height)
      sky.addColorStop(0, `hsl(${hue} 80% 70%)`)
      sky.addColorStop(1, `hsl(${hue + 130} 55% 28%)`)
      context.fillStyle = sky
      context.fillRect(0, 0, width, height)
      return canvas.toDataURL('image/png')
    },
    { width, height, hue },
  )
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
}

/** A second of a tone, as a WAV file. */
export function tone(): Buffer {
  const [rate, samples] = [8000, 8000]
  const wav = Buffer.alloc(44 + samples)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + samples, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(rate, 24)
  wav.writeUInt32LE(rate, 28)
  wav.writeUInt16LE(1, 32)
  wav.writeUInt16LE(8, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(samples, 40)
  for (let i = 0; i < samples; i++)
    wav[44 + i] = 128 + Math.round(60 * Math.sin((i * 440 * 2 * Math.PI) / rate))
  return wav
}

/** Some moments of a film, filmed in the page. */
export async function film(page: Page): Promise<Buffer> {
  const bytes = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 })
    const context = canvas.getContext('2d') as CanvasRenderingContext2D
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm;codecs=vp8' })
    const parts: Blob[] = []
    recorder.ondataavailable = ({ data }) => parts.push(data)
    const stopped = new Promise((done) => {
      recorder.onstop = done
    })
    recorder.start()
    for (let i = 0; i < 30; i++) {
      context.fillStyle = `hsl(${i * 12} 70% 50%)`
      context.fillRect(0, 0, 320, 240)
      await new Promise((done) => setTimeout(done, 30))
    }
    recorder.stop()
    await stopped
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())]
  })
  return Buffer.from(bytes)
}

/** Bytes that nobody has but these. */
export function noise(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0, state = seed; i < size; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes.writeUInt32LE(state, i)
  }
  return bytes
}

/** Chooses a file for the message that is being written. */
export async function attach(page: Page, name: string, mimeType: string, buffer: Buffer): Promise<void> {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: 'Attach files' }).click()
  await (await chooser).setFiles({ name, mimeType, buffer })
  await chosen(page).getByText(name).waitFor()
}

/** What goes with the message that is being written. */
export const chosen = (page: Page): Locator => page.getByRole('list', { name: 'Attachments' })

/** What a browser brings to the relay from now on. */
export class Uploads {
  readonly #requests: { page: Page; request: Request }[] = []

  constructor(context: BrowserContext) {
    context.on('request', (request) => {
      if (!new URL(request.url()).pathname.startsWith('/media/uploads')) return
      this.#requests.push({ page: request.frame().page(), request })
    })
  }

  /** How many were begun. */
  get begun(): number {
    return this.#requests.filter(({ request }) => request.method() === 'POST').length
  }

  /** Where each piece began, in bytes, in their order. */
  get pieces(): number[] {
    return this.#requests.flatMap(({ request }) =>
      request.method() === 'PATCH' ? [Number(request.headers()['upload-offset'])] : [],
    )
  }

  /** Who brings the newest piece. */
  get page(): Page | undefined {
    return this.#requests.at(-1)?.page
  }
}

/** Lets no more bytes out of a page in a second than these. */
export async function slowDown(page: Page, bytesPerSecond: number): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.enable')
  await devtools.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond,
  })
}
