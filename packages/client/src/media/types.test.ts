import { expect, test } from 'vitest'
import { incoming } from './incoming.ts'
import { safeType } from './safe-type.ts'

test.each([
  ['image/png', 'image/png'],
  ['text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
  ['video/mp4', 'video/mp4'],
  ['image/svg+xml', 'application/octet-stream'],
  ['text/html', 'application/octet-stream'],
  ['application/xhtml+xml', 'application/octet-stream'],
  ['text/javascript', 'application/octet-stream'],
  ['text/plainly', 'application/octet-stream'],
  ['', 'application/octet-stream'],
])('%s is handed out as %s', (given, type) => expect(safeType(given)).toBe(type))

test('a type is what is one, in lower case; anything else is mere bytes', () => {
  const typeOf = (contentType: string | null) =>
    incoming('media', { contentType, media: 'x' })[0]?.contentType
  expect(['IMAGE/PNG', 'text/plain;charset=UTF-8', 'nonsense', 'a/b\r\nc: d', null].map(typeOf)).toEqual([
    'image/png',
    'text/plain;charset=UTF-8',
    'application/octet-stream',
    'application/octet-stream',
    'application/octet-stream',
  ])
})
