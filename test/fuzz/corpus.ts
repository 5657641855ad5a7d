/**
 * The corpus in the repository: `corpus/<target>.json`, a list of inputs in hex with a word on each. Interesting ones,
 * and every one that ever failed. `npm test` runs them all.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fromHex, toHex } from './target.ts'

export interface Entry {
  /** Why it is here. */
  note: string
  hex: string
}

const fileOf = (target: string) => join(import.meta.dirname, 'corpus', `${target}.json`)

export function readCorpus(target: string): Entry[] {
  const file = fileOf(target)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Entry[]) : []
}

export const inputsOf = (entries: readonly Entry[]): Uint8Array[] => entries.map(({ hex }) => fromHex(hex))

/** Adds an input unless it is there; gives the file. */
export function addToCorpus(target: string, input: Uint8Array, note: string): string {
  const entries = readCorpus(target)
  const hex = toHex(input)
  if (!entries.some((entry) => entry.hex === hex)) {
    entries.push({ note, hex })
    mkdirSync(dirname(fileOf(target)), { recursive: true })
    writeFileSync(fileOf(target), `${JSON.stringify(entries, null, 2)}\n`)
  }
  return fileOf(target)
}
