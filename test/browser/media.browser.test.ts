/** Attachments in a real browser: Blobs in IndexedDB, reloads in the middle, other tabs, and a disk that is full. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type MediaRelay, startMediaRelay } from '../media/stand-in.ts'
import { type Fault, faultyProxy } from '../support/faulty-proxy.ts'
import { tokenFor } from '../support/relay.ts'
import { browserAvailable, openPage, type Session, type Tab } from './harness.ts'

type Entry = typeof import('./media-page.ts')

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const entry = new URL('./media-page.ts', import.meta.url)
const available = await browserAvailable()

/** What the page makes of so many bytes. */
function contentOf(size: number, seed = 0): string {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed + (i >> 8)) & 255
  return createHash('sha256').update(bytes).digest('hex')
}

describe.skipIf(!available)('attachments in Chromium', () => {
  let stand: MediaRelay
  let session: Session<Entry>

  beforeEach(async () => {
    stand = await startMediaRelay()
    session = await openPage<Entry>(entry, { shipped: true })
  })
  afterEach(async () => {
    await session.close()
    await stand.close()
  })

  const open = async (tab: Tab<Entry>, identity = 'ann', url = stand.url) =>
    tab.call('open', await tokenFor(identity), url)

  /** Ben, in a browser of his own. */
  async function ben(): Promise<Tab<Entry>> {
    const context = await session.context.browser()!.newContext()
    const tab = await session.tabIn(context)
    await open(tab, 'ben')
    return tab
  }

  test('a file sent offline is shown in the other tab, and after a reload with no relay at all', async () => {
    const other = await session.newTab()
    for (const tab of [session, other]) await open(tab)
    await session.call('create')
    for (const tab of [session, other]) await tab.call('joined')
    for (const tab of [session, other]) await tab.call('goOffline')
    await session.call('send', 700_000, 'application/pdf')
    const pending = { index: 0, status: 'pending', filename: 'file.bin', size: 700_000 }
    expect(await other.call('newestMedia', 700_000)).toMatchObject(pending)
    expect(await other.call('readNewest')).toEqual({
      url: 'blob',
      type: 'application/pdf',
      hash: contentOf(700_000),
    })

    await session.page.reload()
    await stand.relay.close()
    await open(session)
    await session.call('joined')
    expect(await session.call('newestMedia')).toMatchObject(pending)
    expect((await session.call('readNewest')).hash).toBe(contentOf(700_000))
  })

  test('it goes up once, from one tab of those that have a connection, and all of them hear how far it is', async () => {
    const other = await session.newTab()
    for (const tab of [session, other]) await open(tab)
    await session.call('create')
    for (const tab of [session, other]) await tab.call('joined')
    await session.call('send', 3_000_000, 'video/mp4')
    for (const tab of [session, other]) {
      await tab.call('saidOnce', 'complete', 3_000_000)
      await tab.call('accepted')
    }
    expect(stand.requests.filter((one) => one === 'POST uploads')).toHaveLength(1)
    expect([...stand.kept.values()]).toMatchObject([{ size: 3_000_000, state: 'ready' }])
  })

  test('a tab that is closed while it uploads leaves the rest to another', async () => {
    stand.verdict = 'checking'
    const other = await session.newTab()
    for (const tab of [session, other]) await open(tab)
    await session.call('create')
    for (const tab of [session, other]) await tab.call('joined')
    await session.call('send', 100_000, 'image/png')
    // whichever of them does it, both know
    for (const tab of [session, other]) await tab.call('saidOnce', 'checking', 100_000)
    await session.page.close()
    for (const one of stand.kept.values()) one.state = 'ready'
    await other.call('accepted')
    expect(stand.requests.filter((one) => one === 'POST uploads')).toHaveLength(1)
  })

  test('an upload goes on where it was when the page was loaded again', async () => {
    const faults: Fault[] = Array.from({ length: 40 }, () => ({ end: 'cut', after: 3_000_000, late: 0 }))
    const proxy = await faultyProxy(stand.port, faults)
    try {
      await open(session, 'ann', `http://127.0.0.1:${proxy.port}`)
      await session.call('create')
      await session.call('joined')
      await session.call('send', 20_000_000, 'video/mp4')
      const before = await session.call('saidOnce', 'uploading', 5_000_000)
      expect(before.bytesSent).toBeLessThan(20_000_000)
      await session.page.reload()
      await open(session, 'ann', `http://127.0.0.1:${proxy.port}`)
      await session.call('joined')
      await session.call('noneWaits')
      expect(stand.requests.filter((one) => one === 'POST uploads')).toHaveLength(1)
      expect([...stand.kept.values()]).toMatchObject([{ size: 20_000_000, state: 'ready' }])
      const first = (await session.call('said')).find(
        ({ state, bytesSent }) => state === 'uploading' && bytesSent > 0,
      )
      expect(first?.bytesSent ?? 20_000_000).toBeGreaterThan(1_000_000)
    } finally {
      await proxy.close()
    }
  })

  test('a picture travels with its size and a placeholder, and is drawn from both', async () => {
    await open(session)
    const reader = await ben()
    await session.call('create', 'ben')
    await session.call('joined')
    await reader.call('joined')
    await session.call('sendPicture', 320, 200)
    expect(await reader.call('newestMedia')).toMatchObject({ filename: 'drawn.png', width: 320, height: 200 })
    const { picture, placeholder } = await reader.call('showNewest')
    expect(picture).toEqual([320, 200])
    expect(placeholder[0]).toBe(32)
    // kept there, too
    await reader.call('goOffline')
    await reader.page.reload()
    await open(reader, 'ben')
    await reader.call('joined')
    await reader.call('goOffline')
    expect((await reader.call('showNewest')).picture).toEqual([320, 200])
  })

  test.each([
    ['a page', 'text/html', '<script>parent.document.title = "mine"</script>'],
    ['a drawing with script', 'image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'],
  ])('%s is handed out as mere bytes: it would run in the app’s origin', async (_, type, text) => {
    await open(session)
    await session.call('create')
    await session.call('joined')
    await session.call('sendText', type, text)
    await session.call('newestMedia', text.length)
    expect(await session.call('readNewest')).toMatchObject({ url: 'blob', type: 'application/octet-stream' })
  })

  test('when the disk is full the file is refused, nothing of it is shown, and what was taken before stays', async () => {
    const { origin } = session
    // before the page has stored anything: Chromium remembers for seconds how much room there was
    const devtools = await session.context.newCDPSession(session.page)
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 8_000_000 })
    await open(session)
    await session.call('create')
    await session.call('joined')
    await session.call('goOffline')
    const full = await session.call('sendUntilFull', 2_000_000)
    expect(full.code).toBe(70501)
    expect(full.message).toMatch(/no room/)
    expect(full.taken).toBeGreaterThan(0)
    expect(full).toMatchObject({ shown: full.taken, held: 0, media: full.taken * 2_000_000 })
    await devtools.send('Storage.overrideQuotaForOrigin', { origin })
    await session.call('goOnline')
    await session.call('noneWaits')
    expect([...stand.kept.values()].filter(({ state }) => state === 'ready')).toHaveLength(full.taken)
  })

  test('a removed message takes its bytes with it, and destroy leaves nothing', async () => {
    await open(session)
    await session.call('create')
    await session.call('joined')
    await session.call('send', 10_000, 'image/png')
    await session.call('accepted')
    expect(await session.call('mediaBytes')).toBe(10_000)
    await session.call('removeNewest')
    await expect.poll(() => session.call('mediaBytes'), { timeout: 30_000 }).toBe(0)
    await session.call('send', 20_000, 'image/png')
    await session.call('destroy')
    expect(await session.call('databases')).toEqual([])
  })
})
