// `npm test`: lint, types, then every test. All of them run even if an earlier one fails, and their count is left
// in node_modules/.cache/confab for continuous integration.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const cache = join(root, 'node_modules/.cache/confab')
const reportFile = join(cache, 'vitest.json')
const summaryFile = join(cache, 'summary.txt')

type Count = { passed: number; failed: number }

// By path, since several packages bring a `tsc`, and whose is in node_modules/.bin is a matter of luck.
const programs = {
  biome: 'node_modules/@biomejs/biome/bin/biome',
  tsc: 'node_modules/typescript/bin/tsc',
  vitest: 'node_modules/vitest/vitest.mjs',
}

function run(title: string, program: keyof typeof programs, args: string[]): boolean {
  console.log(`\n— ${title}`)
  const file = join(root, programs[program])
  const result = spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' })
  if (result.error) console.error(result.error.message)
  return result.status === 0
}

const check = (title: string, program: keyof typeof programs, args: string[]): Count =>
  run(title, program, args) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }

function tests(): Count {
  // Arguments are file filters: `npm test -- packages/core`.
  const args = [
    'run',
    ...process.argv.slice(2),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
  ]
  const succeeded = run('tests', 'vitest', args)
  if (!existsSync(reportFile)) return { passed: 0, failed: 1 }
  const report = JSON.parse(readFileSync(reportFile, 'utf8'))
  const count = { passed: report.numPassedTests as number, failed: report.numFailedTests as number }
  // A file that doesn't load, or an error outside any test, fails the run without failing a test.
  if (!succeeded && count.failed === 0) count.failed = 1
  return count
}

mkdirSync(cache, { recursive: true })
rmSync(reportFile, { force: true })
rmSync(summaryFile, { force: true })

const counts = [
  check('lint (biome)', 'biome', ['check', '--error-on-warnings']),
  check('types (tsc)', 'tsc', ['--noEmit']),
  tests(),
]
const passed = counts.reduce((sum, count) => sum + count.passed, 0)
const failed = counts.reduce((sum, count) => sum + count.failed, 0)
writeFileSync(summaryFile, `${passed} passed, ${failed} failed\n`)
console.log(`${passed} passed, ${failed} failed (lint and types count as one each)`)
process.exitCode = failed === 0 ? 0 : 1
