/** Demo keys: made once, kept beside the database, so that printed tokens still work after a restart. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfabError } from '@confab/core'

export interface DemoKeys {
  accountSid: string
  /** Of the account, for the REST API. */
  authToken: string
  key: string
  secret: string
}

export const DEMO_DATABASE = '.confab/demo.sqlite'

export const demoFile = (database: string): string => `${database}.keys.json`

const hex = () => randomBytes(16).toString('hex')

/**
 * Reads the keys beside the database, or makes them (readable by their owner only).
 * @throws ConfabError 20001 when the file can't be read or written
 */
export function demoKeys(database: string): DemoKeys {
  const fresh = { accountSid: `AC${hex()}`, authToken: hex(), key: `SK${hex()}`, secret: hex() }
  if (database === ':memory:') return fresh
  const file = demoFile(database)
  try {
    if (existsSync(file)) return withToken(file, JSON.parse(readFileSync(file, 'utf8')))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify(fresh, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    return fresh
  } catch (error) {
    throw new ConfabError(20001, `demo keys in ${file}: ${(error as Error).message}`, { cause: error })
  }
}

/** Files of before the REST API have no auth token: they get one. */
function withToken(file: string, { accountSid, authToken, key, secret }: Partial<DemoKeys>): DemoKeys {
  if (!accountSid || !key || !secret) throw new Error('not a file of demo keys: remove it for new ones')
  const keys = { accountSid, authToken: authToken ?? hex(), key, secret }
  if (authToken === undefined) writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`)
  return keys
}
