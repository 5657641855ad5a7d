/** Every byte of every file below a folder, as text of one character each. */
import { readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'

export const bytesIn = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')

/** Resolves when no file below a folder has any of these texts, looked at whenever something in it is written. */
export async function gone(folder: string, texts: readonly string[]): Promise<void> {
  const seen = watch(folder)
  try {
    await new Promise<void>((resolve) => {
      const look = () => {
        const bytes = bytesIn(folder)
        if (!texts.some((text) => bytes.includes(text))) resolve()
      }
      seen.on('change', look)
      look()
    })
  } finally {
    seen.close()
  }
}
