/** A device is killed between what its person sends and the relay, and starts again on the same folder. */
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { directory, memory } from '@confab/client'
import { expect, test } from 'vitest'
import type { Moment } from '../crash/moments.ts'
import { tokenFor } from '../support/relay.ts'
import { forkRelay } from '../support/relay-process.ts'
import { until } from '../support/until.ts'
import type { LastFile } from './mortal-sender.ts'
import { clientOf, mediaRelay, sha256, together, whenDone } from './stage.ts'

const SIZE = 9_000_000
const CONTENT = Uint8Array.from({ length: SIZE }, (_, i) => (i * 7) & 255)

const after = (...through: string[]): Moment => ({ through, when: 'after' })
const before = (...through: string[]): Moment => ({ through, when: 'before' })
const KEPT = '^insert or replace into uses'
const ENTRY = '^insert into entries'

test.each<[string, Moment, { isWritten: boolean; uploads?: number; isOffline?: boolean }]>([
  ['while the file is written', before('^insert or replace into contents'), { isWritten: false }],
  ['when the file is on disk and its message is not', before(KEPT, '^commit$', ENTRY), { isWritten: false }],
  [
    'with no network, when the message is on disk',
    after(ENTRY, '^commit$'),
    { isWritten: true, isOffline: true, uploads: 1 },
  ],
  ['when the message is on disk', after(ENTRY, '^commit$'), { isWritten: true, uploads: 1 }],
  [
    'in the middle of the file',
    after(ENTRY, '^commit$', ...Array.from({ length: 25 }, () => '^socket write$')),
    { isWritten: true, uploads: 1 },
  ],
])('killed %s', async (_, moment, { isWritten, uploads = 0, isOffline = false }) => {
  const stand = await mediaRelay()
  const folder = await mkdtemp(join(tmpdir(), 'confab-killed-'))
  whenDone(() => rm(folder, { recursive: true, force: true }))
  const first = await clientOf('ann', stand.url, { storage: directory(folder) })
  await together(first)
  await until(first, () => first.getPendingOperations().length === 0)
  await first.shutdown()

  const words: LastFile = {
    url: stand.url,
    folder,
    token: await tokenFor('ann'),
    body: 'film',
    size: SIZE,
    moment,
    isOffline,
  }
  const child = forkRelay(join(import.meta.dirname, 'mortal-sender.ts'), [JSON.stringify(words)])
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')

  const again = await clientOf('ann', stand.url, { storage: directory(folder) })
  const { items } = await again.getSubscribedConversations()
  await items[0]!.sendMessage('after')
  await until(again, () => again.getPendingOperations().length === 0)
  const bodies = (await items[0]!.getMessages()).items.map(({ body }) => body)
  expect(bodies.sort()).toEqual(isWritten ? ['after', 'film'] : ['after'])
  expect(again.getHeldOperations()).toEqual([])
  expect(stand.requests.filter((one) => one === 'POST uploads')).toHaveLength(uploads)
  if (!isWritten) return

  const fresh = await clientOf('ann', stand.url, { storage: memory() })
  if ((await fresh.getSubscribedConversations()).items.length === 0)
    await new Promise((resolve) => fresh.once('conversationJoined', resolve))
  const [theirs] = (await fresh.getSubscribedConversations()).items
  const film = (await theirs!.getMessages()).items.find(({ body }) => body === 'film')
  const content = await film!.attachedMedia![0]!.getContent()
  expect(sha256(new Uint8Array(await content.arrayBuffer()))).toBe(sha256(CONTENT))
  expect((await readdir(folder, { recursive: true })).filter((one) => one.endsWith('.part'))).toEqual([])
})
