import { expect, test } from 'vitest'
import { sectionOf, withSections } from './report.ts'

const order = ['first', 'second', 'third']
const section = (name: string, runs: number[]) =>
  sectionOf(
    { name, title: `The ${name}`, how: 'With a watch.' },
    [{ what: 'a turn', unit: 'ms', runs }],
    'a machine',
    new Date('2026-01-02T03:04:05Z'),
  )
const page = (...names: string[]) =>
  withSections('', new Map(names.map((name) => [name, section(name, [1, 2, 3])])), order)

test('a section says what was measured, when, on what, the median and every run', () => {
  const text = section('first', [310.4, 2, 10.26])
  expect(text).toContain('## The first\n\nWith a watch.\n')
  expect(text).toContain('Measured on 2026-01-02 (`npm run bench -- first`): a machine.')
  expect(text).toContain('| a turn | 10.3 ms | 310 · 2.00 · 10.3 |')
})

test('only the sections that were run are replaced', () => {
  const before = page('first', 'second', 'third')
  const after = withSections(before, new Map([['second', section('second', [7, 8, 9])]]), order)
  expect(after.replace('| 8.00 ms | 7.00 · 8.00 · 9.00 |', '| 2.00 ms | 1.00 · 2.00 · 3.00 |')).toBe(before)
  expect(after).not.toBe(before)
})

test('sections stand in the order of the benchmarks, whichever was run first', () => {
  const later = withSections(page('third'), new Map([['first', section('first', [1, 2, 3])]]), order)
  expect(later).toBe(page('first', 'third'))
})

test('the section of a benchmark that is no more goes with it', () => {
  expect(withSections(page('first', 'second'), new Map(), ['second'])).toBe(page('second'))
})
