/** The loads, and a file for the engine alone. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Load } from './load.ts'

/** 500 conversations of two, of whom both write. */
export const PAIRS: Load = {
  name: '500 conversations × 2 members',
  conversations: 500,
  members: 2,
  authors: 2,
  messages: 20_000,
  together: 1000,
}

/** One conversation, of whose members one writes. */
export const group = (members: number, messages: number): Load => ({
  name: `1 conversation × ${members} members`,
  conversations: 1,
  members,
  authors: 1,
  messages,
  together: 256,
})

/** A database file for as long as the run takes. */
export async function withFile<Result>(run: (path: string) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'confab-bench-'))
  try {
    return await run(join(directory, 'relay.db'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
