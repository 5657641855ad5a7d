import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** Of each of the seven targets, in turns. */
const MINUTES = 14

/** What `npm run fuzz` prints, and how it ends. */
async function fuzz(args: string[], when?: (output: string) => NodeJS.Signals | null) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fuzz.ts'), ...args])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
      const signal = when?.(output)
      if (signal) {
        when = undefined
        child.kill(signal)
      }
    })
  }
  const [code] = await once(child, 'exit')
  return { code, output }
}

test(`nothing is found in ${MINUTES} minutes from a seed of its own`, async () => {
  const { code, output } = await fuzz(['--minutes', String(MINUTES)])
  expect(output).toContain('nothing failed')
  expect(code).toBe(0)
})

test('Ctrl-C ends it with a summary', async () => {
  const { code, output } = await fuzz(['wire', '--seed', '1'], (told) =>
    /\d runs/.test(told) ? 'SIGINT' : null,
  )
  expect(output).toContain('seed 1')
  expect(output).toContain('nothing failed')
  expect(code).toBe(0)
})

test('the same seed and number of runs end alike, and an input can be repeated', async () => {
  const args = ['update', '--seed', '7', '--runs', '200']
  const end = ({ output }: { output: string }) =>
    output
      .replace(/\d+ a second/g, '')
      .split('\n')
      .slice(-3)
  const once = end(await fuzz(args))
  expect(once[0]).toContain('200 runs')
  expect(end(await fuzz(args))).toEqual(once)
  expect((await fuzz(['update', '--input', '0102030405'])).output).toContain('holds')
  expect((await fuzz(['nothing'])).code).toBe(2)
})
