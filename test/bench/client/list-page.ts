/**
 * The list in a page. A page that finds where to look begins with it as soon as its script runs, as an app does; the
 * clock starts when the script has arrived.
 */
import { Client, indexedDB } from '@confab/client'
import { type Row, readList, takeIn, type Where } from './device.ts'

const KEY = 'bench'

/** Names of the databases that were opened, in order. */
const opened: string[] = []
const open = IDBFactory.prototype.open
IDBFactory.prototype.open = function (name, ...rest) {
  opened.push(name)
  return open.call(this, name, ...rest)
}

export interface Listed {
  /** Milliseconds from the arrival of the script to its first line, to an initialised client, to the list read. */
  running: number
  initialized: number
  listed: number
  /** Milliseconds to the last `conversationJoined`. */
  joined: number
  rows: Row[]
  databases: string[]
}

/** Takes in what the relay has. */
export async function fill(where: Where, amount: { conversations: number; messages: number }): Promise<void> {
  const client = await takeIn(where, indexedDB(), amount)
  await client.shutdown()
}

/** Every load of this origin from now on begins with the list. */
export function remember(where: Where): void {
  localStorage.setItem(KEY, JSON.stringify(where))
}

async function list({ url, token }: Where): Promise<Listed> {
  const running = performance.now()
  const client = new Client(token, { url, storage: indexedDB() })
  let initialized = 0
  let joined = 0
  client.on('stateChanged', () => (initialized = performance.now()))
  client.on('conversationJoined', () => (joined = performance.now()))
  const rows = await readList(client)
  const listed = performance.now()
  await client.shutdown()
  const script = performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/entry.js'))
  const began = (script as PerformanceResourceTiming).responseEnd
  return {
    running: running - began,
    initialized: initialized - began,
    listed: listed - began,
    joined: joined - began,
    rows,
    databases: opened,
  }
}

const known = localStorage.getItem(KEY)
const result = known ? list(JSON.parse(known) as Where) : null
/** What this load found. */
export const listed = (): Promise<Listed> | null => result
