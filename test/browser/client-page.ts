/** An app in a page, for tests: whole clients, with the storage that they have by themselves. */
import { Client, type ConfabError, type Conversation, type Message, memory } from '@confab/client'

let client: Client
let conversation: Conversation | undefined
/** What this tab was told of messages, as an app's rows: `<index> <body>`, pending ones marked. */
const rows = new Map<string, Message[]>()
const wanted = new Set<() => void>()
const look = () => {
  for (const one of wanted) one()
}

const codeOf = (error: unknown): string => {
  const { code, message } = error as ConfabError
  return `${code} ${message}`
}

/** Starts a client and waits for its list. Gives 'ready', or why it can't be. */
export async function open(token: string, url: string, options: { memory?: boolean } = {}): Promise<string> {
  rows.clear()
  client = new Client(token, { url, logLevel: 'silent', ...(options.memory ? { storage: memory() } : {}) })
  client.on('conversationJoined', (one) => void follow(one))
  client.on('conversationRemoved', look)
  client.on('operationsChanged', look)
  client.on('connectionStateChanged', look)
  try {
    const { items } = await client.getSubscribedConversations()
    for (const one of items) await follow(one)
    return 'ready'
  } catch (error) {
    return codeOf(error)
  }
}

export const close = () => client.shutdown()
export const goOffline = () => client.goOffline()
export const goOnline = () => client.goOnline()

/** Makes the conversation of the test; gives its sid. */
export async function create(friendlyName: string, ...others: string[]): Promise<string> {
  const made = await (await client.createConversation({ friendlyName })).join()
  for (const identity of others) await made.add(identity)
  await follow(made)
  return made.sid
}

export const isListed = async (): Promise<boolean> =>
  (await client.getSubscribedConversations()).items.some(({ sid }) => sid === conversation?.sid)

/** Resolves when this person is no participant of the conversation any more. */
export const untilOut = () => until(() => conversation?.status === 'notParticipating')

async function follow(one: Conversation): Promise<void> {
  conversation = one
  if (rows.has(one.sid)) return
  const shown: Message[] = []
  rows.set(one.sid, shown)
  one.on('messageAdded', (message) => {
    shown.push(message)
    look()
  })
  one.on('messageUpdated', look)
  one.on('messageRemoved', (message) => {
    const at = shown.indexOf(message)
    if (at >= 0) shown.splice(at, 1)
    look()
  })
  // what comes meanwhile is told, and on the page too: an app keeps one row for each
  let page = await one.getMessages(100)
  for (;;) {
    for (const message of page.items) if (!shown.includes(message)) shown.push(message)
    if (!page.hasPrevPage) break
    page = await page.prevPage()
  }
  look()
}

const shown = () =>
  [...(rows.get(conversation?.sid ?? '') ?? [])]
    .sort((a, b) => a.index - b.index)
    .map(({ index, body, status }) => `${index} ${body}${status === 'pending' ? ' …' : ''}`)

/** The rows, once they are as many and as many of them are pending as that. */
export async function rowsOnce(count: number, pending: number): Promise<string[]> {
  await until(() => shown().length === count && shown().filter((row) => row.endsWith('…')).length === pending)
  return shown()
}

/** What reading gives, whatever was told. */
export async function read(): Promise<string[]> {
  const found: string[] = []
  let page = await conversation?.getMessages(100)
  while (page) {
    found.unshift(...page.items.map(({ index, body }) => `${index} ${body}`))
    page = page.hasPrevPage ? await page.prevPage() : undefined
  }
  return found
}

export async function untilNothingWaits(): Promise<void> {
  await until(() => client.getPendingOperations().length === 0)
}

/** Posts; gives its index, or why it can't be. */
export async function post(body: string): Promise<string> {
  try {
    return String(await conversation?.sendMessage(body))
  } catch (error) {
    return codeOf(error)
  }
}

/** Posts, twenty at a time, for as long as the page lives, and tells of each when its promise has resolved. */
export async function postAndTell(prefix: string): Promise<void> {
  const { acknowledge } = globalThis as unknown as { acknowledge(body: string): void }
  for (let at = 0; ; at += 20) {
    const bodies = Array.from({ length: 20 }, (_, i) => `${prefix} ${at + i}`)
    await Promise.all(bodies.map((body) => conversation?.sendMessage(body).then(() => acknowledge(body))))
  }
}

/** Posts so many bytes after the other until it can't be; gives how many posts were taken, and why no more. */
export async function postUntilRefused(bytes: number): Promise<{ taken: number; error: string }> {
  for (let taken = 0; ; taken++) {
    const random = crypto.getRandomValues(new Uint8Array(bytes / 2))
    const answer = await post(Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join(''))
    if (!/^\d+$/.test(answer)) return { taken, error: answer }
  }
}

export const held = () => client.getHeldOperations().length

function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (!holds()) return
      wanted.delete(check)
      resolve()
    }
    wanted.add(check)
    check()
  })
}

// --- what people and browsers do to what a client keeps

const databases = async () =>
  (await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith('confab') ? name : []))

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/** The site's data cleared, while other tabs are open. */
export async function deleteDatabases(): Promise<number> {
  const names = await databases()
  await Promise.all(names.map((name) => done(indexedDB.deleteDatabase(name))))
  return names.length
}

/** Which of these texts are in anything that the client's databases hold: bytes and objects alike. */
export async function storedOf(texts: string[]): Promise<string[]> {
  const found = new Set<string>()
  const look = (value: unknown): void => {
    const text = value instanceof Uint8Array ? new TextDecoder().decode(value) : value
    if (typeof text === 'string') for (const one of texts.filter((one) => text.includes(one))) found.add(one)
    else if (text && typeof text === 'object') for (const one of Object.values(text)) look(one)
  }
  for (const name of await databases()) {
    const db = await done(indexedDB.open(name))
    for (const store of db.objectStoreNames)
      for (const value of await done(db.transaction(store).objectStore(store).getAll())) look(value)
    db.close()
  }
  return [...found]
}

/** Removes the message with this body. */
export async function remove(body: string): Promise<void> {
  let page = await conversation?.getMessages(100)
  for (; page; page = page.hasPrevPage ? await page.prevPage() : undefined) {
    const message = page.items.find((one) => one.body === body)
    if (message) return void (await message.remove())
  }
  throw new Error(`There is no message ${body}`)
}

/** The journal's database as version 1 of the store had it, without pages of history. */
export async function makeOld(): Promise<{ version: number; entries: number }> {
  const [name = ''] = (await databases()).filter((one) => /^confab-[0-9a-f]{32}$/.test(one))
  const now = await done(indexedDB.open(name))
  const { version } = now
  const stores = ['entries', 'summaries', 'values'] as const
  const tx = now.transaction(stores)
  const kept = await Promise.all(
    stores.map(async (store) => ({
      keys: await done(tx.objectStore(store).getAllKeys()),
      values: await done(tx.objectStore(store).getAll()),
    })),
  )
  now.close()
  await done(indexedDB.deleteDatabase(name))
  const opening = indexedDB.open(name, 1)
  opening.onupgradeneeded = () => {
    const entries = opening.result.createObjectStore('entries', { keyPath: 'position', autoIncrement: true })
    entries.createIndex('id', 'id', { unique: true })
    opening.result.createObjectStore('summaries', { keyPath: 'document' })
    opening.result.createObjectStore('values')
  }
  const old = await done(opening)
  const write = old.transaction(stores, 'readwrite')
  for (const [at, store] of stores.entries()) {
    const { keys, values } = kept[at]!
    for (const [i, value] of values.entries())
      write.objectStore(store).put(value, store === 'values' ? keys[i] : undefined)
  }
  await new Promise((resolve) => {
    write.oncomplete = resolve
  })
  keptOpen = old
  return { version, entries: kept[0]!.values.length }
}

/** As a tab with an older version of the app has it, which lets nobody upgrade. */
let keptOpen: IDBDatabase | undefined
export const letGo = () => keptOpen?.close()
