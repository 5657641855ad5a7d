/** What open conversations take of a device's memory, and what they give back. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rowsOf, type Scenario } from '../scenario.ts'

export const name = 'memory'
export const title = 'Open conversations in memory'
export const how =
  'A device in Node with directory() shows a page of each of 250 conversations of 300 messages. The JavaScript heap after collections, less that of the device before it showed any. Each run is a process of its own.'

export interface Heap {
  /** Bytes with all conversations open, and after the engine closed those that nobody uses. */
  open: number
  tidied: number
  /** Documents that are still open then. */
  left: number
}

export async function measureHeap(): Promise<Heap> {
  const child = fileURLToPath(new URL('./memory-child.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child])
  return JSON.parse(stdout) as Heap
}

const MEGABYTE = 1e6

export const run: Scenario['run'] = (runs) =>
  rowsOf(
    runs,
    { open: ['all 250 just shown', 'MB'], tidied: ['when the unused ones were closed', 'MB'] },
    async () => {
      const { open, tidied } = await measureHeap()
      return { open: open / MEGABYTE, tidied: tidied / MEGABYTE }
    },
  )
