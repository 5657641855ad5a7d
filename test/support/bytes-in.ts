/** Every byte of every file below a folder, as text of one character each. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const bytesIn = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
