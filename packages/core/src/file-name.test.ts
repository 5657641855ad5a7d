import { expect, test } from 'vitest'
import { cleanFileName } from './file-name.ts'

test.each([
  ['../../etc/passwd', 'passwd'],
  ['C:\\fakepath\\holiday.jpg', 'holiday.jpg'],
  ['.htaccess', 'htaccess'],
  ['. .config', 'config'],
  ['a\u0000b\u202egnp.exe', 'abgnp.exe'],
  ['a\u200b\ufeff\u2028b.txt', 'ab.txt'],
  ['half \ud83d of a pair', 'half  of a pair'],
  ['<img src=x>.png', 'img src=x.png'],
  ['x\r\nset-cookie: a=b', 'xset-cookie a=b'],
  ['caf\u0065\u0301.txt', 'café.txt'],
  ['👨‍👩‍👧.png', '👨‍👩‍👧.png'],
  ['  a b.txt ', 'a b.txt'],
  ['..', ''],
  ['', ''],
])('a file called %j comes as %j', (given, name) => expect(cleanFileName(given)).toBe(name))

test('a name that is too long keeps its ending', () => {
  const name = cleanFileName(`${'💬'.repeat(300)}.jpeg`)
  expect([...name]).toHaveLength(256)
  expect(name).toMatch(/💬\.jpeg$/u)
})

test('a name that is clean stays as it is', () => {
  for (const given of ['a.png', '../../x', '. . \u202e y', `${'z'.repeat(300)}.${'e'.repeat(16)}`]) {
    const name = cleanFileName(given)
    expect(cleanFileName(name)).toBe(name)
  }
})
