/** The page about security names the test behind each boundary: each is there, by its name. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/security.md'), 'utf8')
const links = [...page.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+\.ts)\)/g)].map(([, title = '', file = '']) => ({
  title,
  file,
}))

test.each(links)('$file holds "$title"', ({ title, file }) => {
  const source = readFileSync(join(root, file), 'utf8')
  // as it stands in the source, in whichever quotes
  const written = [title, title.replaceAll("'", "\\'")]
  expect(
    written.some((text) => [`'${text}`, `"${text}`, `\`${text}`].some((start) => source.includes(start))),
  ).toBe(true)
})

test('every file of attacks is named, and so are all other links there', () => {
  const named = new Set(links.map(({ file }) => file))
  for (const file of [
    'connections',
    'cost',
    'epochs',
    'floods',
    'http',
    'invites',
    'membership',
    'mutations',
    'operations',
    'people',
    'quotas',
    'resume',
    'tokens',
    'updates',
  ]) {
    expect(named).toContain(`test/hostile/${file}.test.ts`)
  }
  for (const [, path = ''] of page.matchAll(/\]\(\.\.\/([^)#]+)\)/g))
    expect(existsSync(join(root, path))).toBe(true)
})
