/** Attachments in backups, by the commands, over relays in processes of their own. */
import { cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Client, type Conversation, type Media, type Message, memory } from '@confab/client'
import { describe, expect, test, vi } from 'vitest'
import { openBucket } from '../support/bucket.ts'
import { Program } from '../support/program.ts'
import { KEY, SECRET } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { newFolder } from './relay-stage.ts'
import { bytesOf, clientOf, nextMessage, readBack, sha256, together, whenDone } from './stage.ts'

// each starts processes, on machines that have other things to do
vi.setConfig({ testTimeout: 90_000 })

const main = join(import.meta.dirname, '../../server/src/cli/main.ts')
const confab = (args: readonly string[], env: { [name: string]: string } = {}) =>
  new Program(process.execPath, [main, ...args], { env: { ...process.env, ...env } })

const filesIn = async (folder: string): Promise<string[]> => {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return found.filter((entry) => entry.isFile()).map((entry) => entry.name)
}
const placeOf = (folder: string, bytes: Uint8Array): string => {
  const hash = sha256(bytes)
  return join(folder, hash.slice(0, 2), hash)
}

/** A folder with a relay in a process of its own. */
class Place {
  readonly folder: string
  readonly database: string
  readonly copy: string
  readonly #env: { [name: string]: string }
  #relay: Program | null = null
  url = ''

  private constructor(folder: string, env: { [name: string]: string }) {
    this.folder = folder
    this.database = join(folder, 'relay.sqlite')
    this.copy = join(folder, 'copies', 'monday.sqlite')
    this.#env = env
  }

  static async make(env: { [name: string]: string } = {}): Promise<Place> {
    const place = new Place(await newFolder(), env)
    await mkdir(join(place.folder, 'copies'))
    whenDone(() => place.kill())
    return place
  }

  get content(): string {
    return `${this.database}-media/content`
  }

  async start(): Promise<void> {
    const port = this.url === '' ? '0' : new URL(this.url).port
    this.#relay = confab(['relay', '-p', port, '-d', this.database, '-k', `${KEY}=${SECRET}`], this.#env)
    this.url = `ws://127.0.0.1:${/:(\d+),/.exec(await this.#relay.line('confab relay at'))?.[1]}`
  }

  async kill(): Promise<void> {
    await this.#relay?.stop('SIGKILL')
  }

  async run(...args: string[]) {
    const program = confab([...args, '-d', this.database], this.#env)
    const code = await program.ended()
    return { code, said: program.lines.join('\n'), errors: program.errors }
  }
}

async function annAndBen(place: Place) {
  const [ann, ben] = [await clientOf('ann', place.url), await clientOf('ben', place.url)]
  const [anns, bens] = (await together(ann, ben)) as [Conversation, Conversation]
  const sent = async (bytes: Uint8Array): Promise<Message> => {
    const coming = nextMessage(bens)
    await anns.sendMessage({
      contentType: 'image/png',
      filename: 'a.png',
      media: new Blob([bytes as BlobPart]),
    })
    return coming
  }
  return { ann, ben, anns, sent }
}

/** The attachments of a conversation, on a device that has nothing. */
async function attachedAfresh(place: Place, identity: string, sid: string, count: number): Promise<Media[]> {
  const client: Client = await clientOf(identity, place.url, { storage: memory() })
  const attached = async () => {
    const conversation = await client.peekConversationBySid(sid).catch(() => null)
    const { items } = (await conversation?.getMessages()) ?? { items: [] }
    return items.flatMap(({ attachedMedia }) => attachedMedia ?? [])
  }
  await until(client, async () => (await attached()).length === count)
  return attached()
}

/** The same, read. */
async function readAfresh(...whose: Parameters<typeof attachedAfresh>): Promise<Buffer[]> {
  const media = await attachedAfresh(...whose)
  return Promise.all(media.map(async (one) => readBack(await one.getContentTemporaryUrl())))
}

describe('a backup', () => {
  test('of a relay that runs has what attachments it had then, and brings them back', async () => {
    const place = await Place.make()
    await place.start()
    const { ann, ben, anns, sent } = await annAndBen(place)
    const [kept, removed, later] = [bytesOf(300_000), bytesOf(40_000), bytesOf(5000)]
    await sent(kept)
    const goes = await sent(removed)
    expect(await place.run('backup', place.copy)).toMatchObject({
      code: 0,
      said: expect.stringContaining('2 contents of attachments (340000 bytes)'),
    })
    const content = `${place.copy}-media/content`
    expect((await filesIn(content)).sort()).toEqual([sha256(kept), sha256(removed)].sort())
    const [original, copied] = [await stat(placeOf(place.content, kept)), await stat(placeOf(content, kept))]
    expect(copied.ino, 'no byte was copied').toBe(original.ino)
    const rights = async (path: string) => (await stat(path)).mode & 0o777
    expect(await Promise.all([place.copy, `${place.copy}-media`, content].map(rights))).toEqual([
      0o600, 0o700, 0o700,
    ])
    expect(await Promise.all([dirname(place.content), place.content].map(rights))).toEqual([0o700, 0o700])

    await (await anns.getMessages()).items.find(({ sid }) => sid === goes.sid)!.remove()
    await sent(later)
    while ((await filesIn(place.content)).includes(sha256(removed)))
      await new Promise((resolve) => setTimeout(resolve, 50))
    for (const client of [ann, ben]) await client.shutdown()
    await place.kill()
    const { code, said } = await place.run('restore', place.copy, '--force')
    expect(code).toBe(0)
    expect(said).toContain('2 contents of attachments are restored')
    const [, aside] = /those that were there before are kept as (.*)/.exec(said) ?? []
    expect((await filesIn(aside!)).sort()).toEqual([sha256(kept), sha256(later)].sort())
    await place.start()
    expect(await readAfresh(place, 'ben', anns.sid, 2)).toEqual([kept, removed])
    expect((await filesIn(place.content)).sort()).toEqual([sha256(kept), sha256(removed)].sort())
  })

  test('of a relay that does not run has them, too, and goes into another place', async () => {
    const place = await Place.make()
    await place.start()
    const { anns, sent } = await annAndBen(place)
    const bytes = bytesOf(10_000)
    await sent(bytes)
    await place.kill()
    expect(await place.run('backup', place.copy)).toMatchObject({ code: 0 })
    const other = await Place.make()
    expect(await other.run('restore', place.copy)).toMatchObject({ code: 0 })
    await other.start()
    expect(await readAfresh(other, 'ben', anns.sid, 1)).toEqual([bytes])
  })

  test('that lacks content, or has other than its hash says, is restored only by force', async () => {
    const place = await Place.make()
    await place.start()
    const { anns, sent } = await annAndBen(place)
    const [good, bad] = [bytesOf(1000), bytesOf(2000)]
    await sent(good)
    await sent(bad)
    await place.kill()
    expect(await place.run('backup', place.copy)).toMatchObject({ code: 0 })
    const other = await Place.make()
    await cp(dirname(place.copy), dirname(other.copy), { recursive: true })
    const bytes = Buffer.from(bad)
    bytes[7]! ^= 1
    await writeFile(placeOf(`${other.copy}-media/content`, bad), bytes)
    expect(await other.run('restore', other.copy)).toMatchObject({
      code: 1,
      errors: expect.stringContaining(sha256(bad)),
    })
    expect((await readdir(other.folder)).filter((name) => name !== 'copies')).toEqual([])
    expect(await other.run('restore', other.copy, '--force')).toMatchObject({
      code: 0,
      said: expect.stringContaining('1 contents are lacking in the backup'),
    })
    expect(await filesIn(other.content)).toEqual([sha256(good)])
    await other.start()
    const [whole, lacking] = await attachedAfresh(other, 'ben', anns.sid, 2)
    expect(await readBack(await whole!.getContentTemporaryUrl())).toEqual(good)
    await expect(lacking!.getContent()).rejects.toMatchObject({ code: 20404 })
  })

  test('says so when the relay has lost content, and overwrites no other backup’s', async () => {
    const place = await Place.make()
    await place.start()
    const { sent } = await annAndBen(place)
    const bytes = bytesOf(1000)
    await sent(bytes)
    await mkdir(`${place.copy}-media`)
    expect(await place.run('backup', place.copy)).toMatchObject({ code: 1 })
    expect(await filesIn(join(place.folder, 'copies'))).toEqual([])
    await writeFile(placeOf(place.content, bytes), 'short')
    const second = join(place.folder, 'copies', 'tuesday.sqlite')
    const told = await place.run('backup', second)
    expect(told).toMatchObject({ code: 1, errors: expect.stringContaining(sha256(bytes)) })
    expect(await filesIn(join(place.folder, 'copies'))).toEqual(['tuesday.sqlite'])
  })

  test('of a relay with a bucket says what is left to do, both ways', async () => {
    const bucket = await openBucket(join(await newFolder(), 'bucket'))
    whenDone(() => bucket.close())
    const place = await Place.make({
      CONFAB_MEDIA_S3: bucket.url,
      CONFAB_MEDIA_S3_REGION: bucket.region ?? '',
      CONFAB_MEDIA_S3_KEY: bucket.accessKeyId,
      CONFAB_MEDIA_S3_SECRET: bucket.secretAccessKey,
    })
    await place.start()
    const { anns, sent } = await annAndBen(place)
    const bytes = bytesOf(1000)
    await sent(bytes)
    expect(await place.run('backup', place.copy)).toMatchObject({
      code: 0,
      said: expect.stringContaining('copy the bucket'),
    })
    await place.kill()
    expect(await place.run('restore', place.copy, '--force')).toMatchObject({
      code: 0,
      said: expect.stringContaining('in a bucket'),
    })
    await place.start()
    expect(await readAfresh(place, 'ben', anns.sid, 1)).toEqual([bytes])
  })
})
