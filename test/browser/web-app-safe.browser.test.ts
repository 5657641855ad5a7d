/** What the web app lets in and out: nothing that people write becomes markup, and no page talks to anybody else. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { browserAvailable } from './harness.ts'
import { isConnected } from './web-people.ts'
import { begin, eventually, onWebStage, say, toggle } from './web-stage.ts'

const available = await browserAvailable()

/** Each would set `hit`, or load something, if anything of the app took it for more than text. */
const CORPUS = [
  '<script>globalThis.hit=1</script>',
  '<ScRiPt src=//evil.example/x.js></ScRiPt>',
  '<img src=x onerror="globalThis.hit=1">',
  '<img src="https://evil.example/pixel.png">',
  '<svg/onload=globalThis.hit=1>',
  '<svg><use href="data:image/svg+xml,<svg id=x onload=globalThis.hit=1>#x"></use></svg>',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=globalThis.hit=1>',
  '<body onpageshow=globalThis.hit=1>',
  '<details open ontoggle=globalThis.hit=1>',
  '<base href="https://evil.example/">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '<style>@import "https://evil.example/x.css";</style>',
  '<form action="https://evil.example/"><button>x</button></form>',
  'javascript:globalThis.hit=1',
  'JaVaScRiPt://https://example.org/%0aglobalThis.hit=1',
  'data:text/html,<script>globalThis.hit=1</script>',
  '<a href="javascript:globalThis.hit=1">x</a>',
  '</textarea><script>globalThis.hit=1</script>',
  '</article></div><script>globalThis.hit=1</script>',
  '"><script>globalThis.hit=1</script>',
  "' autofocus onfocus='globalThis.hit=1",
  '{{constructor.constructor("globalThis.hit=1")()}}',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: that is what is written
  '${globalThis.hit=1}',
  'https://example.org/"onmouseover="globalThis.hit=1',
  "https://example.org/'><script>globalThis.hit=1</script>",
  'https://user:pass@example.org/',
  '&lt;script&gt;globalThis.hit=1&lt;/script&gt;',
  '\u202eevil\u202c <iframe srcdoc="<script>parent.hit=1</script>">',
  '<!--><script>globalThis.hit=1</script>-->',
  '\u0000<script>globalThis.hit=1</script>',
  '＜script＞globalThis.hit=1＜/script＞',
  '__proto__',
  'constructor',
]

describe.skipIf(!available)('the web app', () => {
  const stage = onWebStage()

  test('takes nothing that people write for markup, and no page talks to anybody but the relay', async () => {
    const { page } = await stage.signedIn('mallory')
    const hit = () => page.evaluate(() => (globalThis as { hit?: number }).hit)
    await begin(page, '<img src=x onerror="globalThis.hit=1">', '<svg/onload=globalThis.hit=1>')
    const conversation = await stage.member('mallory', '<img src=x onerror="globalThis.hit=1">')
    const mallory = await (await conversation.getParticipantByIdentity('mallory')).getUser()
    await mallory.updateFriendlyName('<img src=x onerror=globalThis.hit=1>')
    for (const text of CORPUS) {
      const meta = { replyTo: text, reactions: { [text.slice(0, 8)]: [text], '👍': [text] } }
      await conversation.sendMessage(text, meta)
    }
    const last = page.getByRole('article').filter({ hasText: 'constructor' }).last()
    await last.waitFor()
    const shown = new Set<string>()
    // the list holds only what is on the screen
    await eventually(async () => {
      const texts = await page.getByRole('article').locator('.bubble > p').allTextContents()
      for (const text of texts) shown.add(text)
      await page.getByRole('log', { name: 'Messages' }).evaluate((log) => log.scrollBy(0, -200))
      return shown.size
    }).toBe(CORPUS.length)
    expect([...shown].sort()).toEqual([...CORPUS].sort())
    const links = await page
      .locator('.bubble a')
      .evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).protocol))
    expect(links.filter((protocol) => protocol !== 'https:')).toEqual([])

    await page.getByRole('button', { name: 'People and settings' }).click()
    await page.getByRole('dialog').getByText('People (2)').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('searchbox').fill('script')
    await page.getByRole('option').filter({ hasText: 'hit=1' }).first().waitFor()
    await page.getByRole('searchbox').fill('')
    await toggle(page)
    await say(page, CORPUS[0] as string)
    await page.locator('.pill-state:visible').click()
    // a read position may wait there, too
    await page
      .getByRole('dialog')
      .locator('.waiting')
      .getByText(CORPUS[0] as string)
      .waitFor()
    await page.keyboard.press('Escape')
    await toggle(page)
    await isConnected(page)

    expect(await hit()).toBeUndefined()
    const host = new URL(stage.url).host
    const elsewhere = stage.asked.filter((url) => {
      const at = new URL(url.replace(/^blob:/, ''))
      return at.host !== host && at.protocol !== 'data:'
    })
    expect(elsewhere).toEqual([])
  })

  test('has a policy that lets it run what it brought, talk to the relay, and nothing else', async () => {
    const response = await fetch(stage.url, { headers: { accept: 'text/html' } })
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
    expect(await response.text()).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('referrer-policy')).toBe('no-referrer')
    expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin')
  })

  test('loads at most 240 kB of script at its start, gzipped', async () => {
    const html = await (await fetch(stage.url, { headers: { accept: 'text/html' } })).text()
    const scripts = [...html.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map(([, path]) => path)
    expect(scripts).not.toEqual([])
    let bytes = 0
    for (const path of scripts) bytes += gzipSync(await (await fetch(stage.url + path)).text()).length
    expect(bytes).toBeLessThan(240_000)
  })

  test('is held to it: neither foreign scripts nor inline ones nor foreign requests go through', async () => {
    const { page } = await stage.signedIn('eve')
    const heard = () => page.evaluate(() => (globalThis as { heard?: string[] }).heard?.sort())
    await page.evaluate(async () => {
      const heard: string[] = []
      Object.assign(globalThis, { heard })
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        if (!heard.includes(effectiveDirective)) heard.push(effectiveDirective)
      })
      const add = (name: string, attributes: { [name: string]: string }, text = '') => {
        const element = Object.assign(document.createElement(name), attributes)
        element.textContent = text
        document.body.append(element)
      }
      add('script', {}, 'globalThis.hit = 1')
      add('script', { src: 'https://evil.example/x.js' })
      add('style', {}, 'body { color: red }')
      add('img', { src: 'https://evil.example/x.png' })
      add('iframe', { src: 'https://evil.example/' })
      await fetch('https://evil.example/').catch(() => {})
      try {
        new WebSocket('wss://evil.example/')
      } catch {}
    })
    await eventually(heard).toEqual([
      'connect-src',
      'frame-src',
      'img-src',
      'script-src-elem',
      'style-src-elem',
    ])
    expect(await page.evaluate(() => (globalThis as { hit?: number }).hit)).toBeUndefined()
    const complaints = stage.complaints.splice(0)
    expect(complaints.filter((text) => !/Content Security Policy/.test(text))).toEqual([])
  })
})
