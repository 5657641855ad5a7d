/** What those who run a relay say of attachments, and what they see of them. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Conversation } from '@confab/client'
import { describe, expect, test, vi } from 'vitest'
import { Program } from '../support/program.ts'
import { KEY, SECRET } from '../support/relay.ts'
import { described, httpOf, newFolder, newMediaSid, relayOnDisk } from './relay-stage.ts'
import { bytesOf, clientOf, sha256, together, whenDone } from './stage.ts'

// some start processes, on machines that have other things to do
vi.setConfig({ testTimeout: 60_000 })

const main = join(import.meta.dirname, '../../server/src/cli/main.ts')
function confab(database: string, ...options: string[]): Program {
  const key = `${KEY}=${SECRET}`
  const program = new Program(process.execPath, [
    main,
    'relay',
    '-p',
    '0',
    '-d',
    database,
    '-k',
    key,
    ...options,
  ])
  whenDone(() => program.stop('SIGKILL'))
  return program
}

describe('confab relay', () => {
  test('takes what it is told to, and puts it where it is told to', async () => {
    const folder = await newFolder()
    const relay = confab(
      join(folder, 'relay.sqlite'),
      ...['--media', join(folder, 'files'), '--media-bytes', '2K', '--media-total', '3k'],
      ...['--media-types', 'image/*, application/PDF'],
    )
    const httpUrl = `http://127.0.0.1:${/:(\d+),/.exec(await relay.line('confab relay at'))?.[1]}`
    const [conversation] = (await together(await clientOf('ann', httpUrl.replace('http', 'ws')))) as [
      Conversation,
    ]
    const ann = await httpOf('ann', { httpUrl })
    const codes = async (filetype: string, length: number) => {
      const made = await ann.create(described(conversation.sid, bytesOf(1), { filetype }), length)
      return made.status === 201 ? 201 : ann.codeOf(made)
    }
    const bytes = bytesOf(2048)
    await ann.bring(described(conversation.sid, bytes), bytes)
    expect(await codes('image/png', 2049)).toBe(70608)
    expect(await codes('text/plain', 1)).toBe(70609)
    expect(await codes('application/pdf', 1025)).toBe(70502)
    expect(await codes('Application/PDF', 1024)).toBe(201)
    expect(await readdir(join(folder, 'files', 'content', sha256(bytes).slice(0, 2)))).toEqual([
      sha256(bytes),
    ])
    expect(await readdir(folder)).not.toContain('relay.sqlite-media')
  })

  test.each([
    ['--media-bytes', '500MB', 'bytes, or with K, M, G or T'],
    ['--media-bytes', '0', 'bytes, or with K, M, G or T'],
    ['--media-total', '1.5G', 'bytes, or with K, M, G or T'],
    ['--media-types', 'image', "such as 'image/*'"],
    ['--media-types', '', "such as 'image/*'"],
    ['--media', '', 'folder'],
    ['--media-s3', 'https://s3.example.org/bucket', 'CONFAB_MEDIA_S3_KEY'],
  ])('%s %j is told what it may be, in one line', async (option, value, told) => {
    const relay = confab(join(await newFolder(), 'relay.sqlite'), option, value)
    expect(await relay.ended()).toBe(1)
    expect(relay.errors.trim()).toMatch(/^confab: [^\n]*$/)
    expect(relay.errors).toContain(told)
  })
})

test('one attachment may have as much as it may have, however little one person may have waiting', async () => {
  const relay = await relayOnDisk({ media: { maxBytes: 4 * 1024 ** 3 } })
  const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
  const ann = await httpOf('ann', relay)
  const begin = async () => (await ann.create(described(conversation.sid, bytesOf(1)), 4 * 1024 ** 3)).status
  expect([await begin(), await begin()]).toEqual([201, 429])
})

test('figures count what lies there, comes, goes out and is refused, and name nobody', async () => {
  const relay = await relayOnDisk({ metrics: { port: 0 }, media: { maxBytes: 5000 } })
  const [conversation] = (await together(await clientOf('ann', relay.url))) as [Conversation]
  const ann = await httpOf('ann', relay)
  const figures = async () => {
    const text = await (await fetch(relay.metricsUrl as string)).text()
    expect(text).not.toMatch(/\b(ann|CH[0-9a-f]{32}|ME[0-9a-f]{32}|[0-9a-f]{64}|127\.0\.0\.1)\b/)
    const lines = text.split('\n').filter((line) => line.startsWith('confab_media_'))
    return Object.fromEntries(lines.map((line) => line.slice('confab_media_'.length).split(' ')))
  }
  expect(await figures()).toMatchObject({ contents: '0', bytes: '0', uploads: '0', taken_total: '0' })
  const bytes = bytesOf(1000)
  const told = described(conversation.sid, bytes)
  await ann.bring(told, bytes)
  await ann.bring({ ...told, sid: newMediaSid() }, bytes)
  await ann.create(described(conversation.sid, bytes), 300)
  for (const range of ['bytes=0-99', undefined])
    await (await ann.ask('GET', `/media/${told.sid}`, range === undefined ? {} : { range })).arrayBuffer()
  await ann.create(described(conversation.sid, bytes), 5001)
  const other = described(conversation.sid, bytes)
  const upload = (await ann.create(other, 1000)).headers.get('location')!
  expect((await ann.patch(upload, 0, bytesOf(1000))).status).toBe(400)
  await ann.ask('GET', `/media/${told.sid}?token=none`)
  expect(await figures()).toEqual({
    contents: '1',
    bytes: '1000',
    uploads: '1',
    upload_bytes: '300',
    taken_total: '2',
    taken_bytes_total: '2000',
    given_total: '2',
    given_bytes_total: '1100',
    'refusals_total{code="70608"}': '1',
    'refusals_total{code="70607"}': '1',
    'refusals_total{code="20003"}': '1',
  })
})
