/** What a removed message said is in none of a relay's files. */
import { existsSync, readFileSync, watch } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { operation } from '../support/operations.ts'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import {
  ask,
  bearer,
  hashesOf,
  pathTo,
  type SealedConversation,
  sealed,
  sealedConversation,
  tiny,
} from './stage.ts'

const COUNT = 30
/** Words that are nowhere but in this message. */
const secret = (index: number): string => `secret-${index}-${(index * 7919).toString(36).padStart(8, 'q')}`

let folder: string
let database: string
let relay: TestRelay
let held: SealedConversation

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'confab-erasing-'))
  database = join(folder, 'relay.sqlite')
  relay = await startRelay({ database, sealing: tiny })
  held = await sealedConversation(
    relay.url,
    ['ada', 'bob'],
    Array.from({ length: COUNT }, (_, i) => secret(i)),
  )
  return async () => {
    await relay.close()
    await rm(folder, { recursive: true, force: true })
  }
})
afterEach(() => expect(relay.failures).toEqual([]))

const isInFiles = (bytes: string | Buffer): boolean =>
  ['', '-wal', '-shm', '-journal'].some(
    (end) => existsSync(database + end) && readFileSync(database + end).includes(bytes),
  )

/** Resolves when these are in no file of the relay's, looked at whenever it has written to one. */
async function gone(...all: (string | Buffer)[]): Promise<void> {
  const seen = watch(folder)
  try {
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!all.some(isInFiles)) resolve()
      }
      seen.on('change', look)
      look()
    })
  } finally {
    seen.close()
  }
}

const remove = (index: number) => operation('message.remove', { sid: held.sids[index] as string })

/** A page as it lies in the file, deflated. */
async function pageOf(number: number): Promise<Buffer> {
  const hash = hashesOf(held.creator)[number] as string
  const { body } = await ask(relay.url, pathTo(held.sid, hash), {
    ...bearer(await tokenFor('ada')),
    'accept-encoding': 'deflate',
  })
  expect(body.length).toBeGreaterThan(100)
  return body
}

it('once the relay is idle, and after it was closed, while what its neighbours said stays', async () => {
  const [live, inPage] = [COUNT - 2, 2]
  const page = await pageOf(0)
  for (const text of [secret(live), secret(inPage), page]) expect(isInFiles(text)).toBe(true)
  await held.creator.accepted(remove(live), remove(inPage))
  await sealed(held.creator)
  await gone(secret(live), secret(inPage), page)
  const remade = await pageOf(0)
  const neighbours = [live - 1, live + 1, inPage - 1, inPage + 1].map(secret)
  for (const text of [...neighbours, remade]) expect(isInFiles(text)).toBe(true)
  await relay.close()
  for (const text of [secret(live), secret(inPage), page]) expect(isInFiles(text)).toBe(false)
  for (const text of [...neighbours, remade]) expect(isInFiles(text)).toBe(true)
})

it('nor after a relay that was closed at once', async () => {
  const [live, inPage] = [COUNT - 2, 2]
  const page = await pageOf(0)
  await held.creator.accepted(remove(live), remove(inPage))
  await relay.close()
  for (const text of [secret(live), secret(inPage), page]) expect(isInFiles(text)).toBe(false)
  for (const index of [live - 1, live + 1, inPage - 1, inPage + 1])
    expect(isInFiles(secret(index))).toBe(true)
})

it('nor what an edited one that was removed had said before and after', async () => {
  const edited = (index: number) => `${secret(index)} edited`
  for (const index of [1, COUNT - 3]) {
    await held.creator.accepted(
      operation('message.edit', { sid: held.sids[index] as string, body: edited(index) }),
    )
    expect(isInFiles(edited(index))).toBe(true)
  }
  await held.creator.accepted(remove(1), remove(COUNT - 3))
  await gone(secret(1), secret(COUNT - 3))
})
