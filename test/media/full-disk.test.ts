/** A relay whose disk of attachments is full: a small one of its own, in memory. */
import { spawnSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Conversation } from '@confab/client'
import { defaultServiceSid } from '@confab/core'
import { expect, test, vi } from 'vitest'
import { Program } from '../support/program.ts'
import { ACCOUNT, KEY, SECRET } from '../support/relay.ts'
import { described, httpOf, newFolder } from './relay-stage.ts'
import { bytesOf, clientOf, nextMessage, readBack, together, whenDone } from './stage.ts'

vi.setConfig({ testTimeout: 60_000 })

const main = join(import.meta.dirname, '../../server/src/cli/main.ts')
const MEGABYTE = 1024 * 1024
const TOKEN = 'f'.repeat(32)
/** Runs what follows with a disk of 8 MB at the folder that comes first, in name spaces of its own. */
const WITH_SMALL_DISK = ['-Urm', 'sh', '-c', 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'] as const

const canMount = spawnSync('unshare', [...WITH_SMALL_DISK, '/mnt', 'true']).status === 0
if (!canMount) {
  if (process.env.CONFAB_REQUIRE_SERVERS === '1')
    throw new Error('there are no user name spaces (unshare -Urm)')
  console.warn('SKIPPED: a full disk of attachments, because there are no user name spaces (unshare -Urm)')
}

test.runIf(canMount)(
  'says so, keeps what has come, and goes on from there when there is room; nobody sees half of anything',
  async () => {
    const folder = await newFolder()
    const files = join(folder, 'files')
    await mkdir(files)
    const relay = new Program('unshare', [
      ...WITH_SMALL_DISK,
      files,
      ...[process.execPath, main, 'relay', '-p', '0', '-d', join(folder, 'relay.sqlite')],
      ...['-k', `${KEY}=${SECRET}`, '--account', ACCOUNT, '--auth-token', TOKEN, '--media', files],
    ])
    whenDone(() => relay.stop('SIGKILL'))
    const httpUrl = `http://127.0.0.1:${/:(\d+),/.exec(await relay.line('confab relay at'))?.[1]}`
    const [anna, ben] = [
      await clientOf('ann', httpUrl.replace('http', 'ws')),
      await clientOf('ben', httpUrl.replace('http', 'ws')),
    ]
    const [conversation, bens] = (await together(anna, ben)) as [Conversation, Conversation]
    const ann = await httpOf('ann', { httpUrl })
    const [filler, late] = [bytesOf(5 * MEGABYTE), bytesOf(5 * MEGABYTE)]
    const filling = await ann.bring(described(conversation.sid, filler), filler)

    const told = described(conversation.sid, late)
    const upload = (await ann.create(told, late.length)).headers.get('location')!
    const refused = await ann.patch(upload, 0, late)
    expect([refused.status, await ann.codeOf(refused)]).toEqual([503, 70502])
    const posted = await fetch(`${httpUrl}/v1/Services/${defaultServiceSid(ACCOUNT)}/Media`, {
      method: 'POST',
      body: bytesOf(MEGABYTE),
      headers: {
        authorization: `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`,
        'content-type': 'image/png',
      },
    })
    expect([posted.status, ((await posted.json()) as { code: number }).code]).toEqual([503, 70502])
    expect(await ann.state(told.sid)).toEqual({ state: 'uploading' })
    // an SDK's message waits, and is nobody else's yet
    const sentLater = nextMessage(bens)
    await conversation.sendMessage({ contentType: 'image/png', filename: 'a.png', media: new Blob([late]) })
    await conversation.sendMessage('a text goes ahead')
    expect((await sentLater).body).toBe('a text goes ahead')
    const withPicture = nextMessage(bens)
    // one at a time: there is room for one
    await anna.goOffline()

    expect((await ann.ask('DELETE', filling)).status).toBe(204)
    const offset = Number((await ann.ask('HEAD', upload)).headers.get('upload-offset'))
    expect(offset).toBeGreaterThan(2 * MEGABYTE)
    expect((await ann.patch(upload, offset, late.subarray(offset))).status).toBe(204)
    const content = await ann.ask('GET', `/media/${told.sid}`)
    expect(Buffer.from(await content.arrayBuffer())).toEqual(late)
    expect((await ann.ask('DELETE', upload)).status).toBe(204)
    await anna.goOnline()
    const [media] = (await withPicture).attachedMedia!
    expect(await readBack(await media!.getContentTemporaryUrl())).toEqual(late)
  },
)
