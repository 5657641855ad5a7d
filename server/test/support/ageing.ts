/** Conversations that much happens in, and what somebody is sent who opens one afterwards. */
import { participantSid } from '@confab/core'
import { createEngine } from '../../src/commit/create-engine.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { Device, operation, post } from './device.ts'

/** A twentieth of what a relay has unless told: ten thousand messages stand for two hundred thousand. */
export const SEALING = { messages: 50, pageMessages: 50, edited: 10, settle: 1 }
export const begin = async (...members: string[]) => {
  const store = openSqliteStore(':memory:')
  const engine = createEngine({ store, sealing: SEALING, random: whole() })
  const ada = new Device(engine, 'ada')
  return { engine, store, ada, sid: await ada.create('bob', ...members) }
}

/** Client ids of five bytes, as most are: bytes are compared. */
function whole() {
  let state = 1
  return (count: number) =>
    Uint8Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return 0x80 | (state >>> 16)
    })
}

/** Bytes for a device that has nothing yet, without those of the manifest. */
export async function bytesToOpen({ engine, ada, sid }: Awaited<ReturnType<typeof begin>>): Promise<number> {
  const late = new Device(engine, ada.identity)
  await late.open(sid)
  const manifest = JSON.stringify([...late.doc(sid).getMap('history').values()])
  return late.bytes - Buffer.byteLength(manifest)
}

/**
 * People load a page, post, and close it, in turn: each load leaves a Yjs client id behind. One of them wrote something
 * before all of it, and comes when it is over.
 * @returns the most bytes and client ids that any of the last loads was sent, and how many epochs there were
 */
export async function loadPages(
  people: number,
  loads: number,
  last: number,
): Promise<{ bytes: number; ids: number; epochs: number }> {
  const names = Array.from({ length: people }, (_, i) => `person${i}`)
  const { engine, ada, sid } = await begin(...names)
  const away = new Device(engine, 'bob')
  await away.open(sid)
  const carried = post('written before all of it')
  away.write(sid, carried)
  let bytes = 0
  let ids = 0
  for (let load = 0; load < loads; load++) {
    const device = new Device(engine, names[load % people] as string)
    await device.open(sid)
    if (load >= loads - last) {
      bytes = Math.max(bytes, device.bytes)
      ids = Math.max(ids, device.doc(sid).store.clients.size)
    }
    const [outcome] = await device.submit(sid, post(`load ${load}`))
    if (outcome?.verdict !== 'accepted') throw new Error(JSON.stringify(outcome))
    engine.close(device, [sid])
  }
  await away.open(sid)
  const [outcome] = await away.submit(sid, carried)
  if (outcome?.verdict !== 'accepted') throw new Error(JSON.stringify(outcome))
  await ada.until(() => ada.bodies(sid).includes('written before all of it'))
  const newest = ada.messages(sid).at(-1)
  if (newest?.index !== loads) throw new Error(`${loads + 1} posts gave ${newest?.index} as the last index`)
  const epochs = ada.points.get(sid)?.epoch ?? 0
  await engine.drain()
  return { bytes, ids, epochs }
}

/**
 * People are added and leave again, so many times.
 * @param people how many come and go; each comes again and again
 * @returns the most bytes that somebody was sent who opened it in between, and how many epochs there were
 */
export async function comeAndGo(people: number, times: number): Promise<{ bytes: number; epochs: number }> {
  const held = await begin()
  const { ada, sid, engine } = held
  let bytes = 0
  for (let done = 0; done < times; ) {
    const operations = Array.from({ length: 50 }, () => {
      const identity = `person${done++ % people}`
      return [
        operation('participant.add', { identity }),
        operation('participant.remove', { sid: participantSid(sid, { identity }) }),
      ]
    })
    for (const { verdict } of await ada.submit(sid, ...operations.flat()))
      if (verdict !== 'accepted') throw new Error(`The relay said ${verdict}`)
    if (done % 500 === 0) bytes = Math.max(bytes, await bytesToOpen(held))
  }
  const epochs = ada.points.get(sid)?.epoch ?? 0
  await engine.drain()
  return { bytes, epochs }
}
