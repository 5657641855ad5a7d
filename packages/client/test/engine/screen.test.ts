/** Seeded: an app that loads the newest page on conversationJoined and then only listens shows what reading shows. */
import { messageSidOf, participantSid } from '@confab/core'
import { describe, expect, it } from 'vitest'
import type { MessageView } from '../../src/engine/engine.ts'
import { memory } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'
import { YRelay } from './y-relay.ts'

/** mulberry32: a seed gives the same run. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** What such an app has on its screen, by index; what it must never see is a mistake. */
class Screen {
  readonly rows = new Map<number, MessageView>()
  readonly mistakes: string[] = []
  #joined = false
  #loaded = false

  constructor(engine: TestEngine) {
    engine.listen((event) => {
      if (event[0] === 'conversationJoined') {
        this.#joined = true
        void engine.messages(event[1].sid, { count: 1000, direction: 'backwards' }).then(({ items }) => {
          this.rows.clear()
          for (const item of items) this.rows.set(item.record.index, item)
          this.#loaded = true
        })
      } else if (event[0] === 'conversationLeft') {
        this.#joined = this.#loaded = false
        this.rows.clear()
      } else if (
        event[0] === 'messageAdded' ||
        event[0] === 'messageRemoved' ||
        event[0] === 'messageUpdated'
      ) {
        this.#message(event[0], event[2])
      }
    })
  }

  get shown(): string[] {
    return [...this.rows.values()].sort((a, b) => a.record.index - b.record.index).map(line)
  }

  #message(type: 'messageAdded' | 'messageRemoved' | 'messageUpdated', message: MessageView): void {
    const { record } = message
    if (!this.#joined) this.mistakes.push(`${type} ${record.index} while not joined`)
    if (!this.#loaded) return
    const there = this.rows.get(record.index)
    if (type === 'messageAdded') {
      if (there) this.mistakes.push(`added ${record.body} at ${record.index} over ${there.record.body}`)
      this.rows.set(record.index, message)
      return
    }
    if (there?.record.sid !== record.sid) {
      this.mistakes.push(`${type} ${record.body} at ${record.index}, where ${there?.record.body} is`)
    }
    if (type === 'messageRemoved') this.rows.delete(record.index)
    else this.rows.set(record.index, message)
  }
}

function unlessGone(error: unknown): [] {
  expect(error).toMatchObject({ code: 20404 })
  return []
}

const line = ({ record, status }: MessageView) => `${record.index} ${record.author} ${record.body} ${status}`

async function run(seed: number): Promise<void> {
  const below = generator(seed)
  const relay = new YRelay()
  const people = ['alice', 'bob', 'carol']
  const devices = people.flatMap((identity) => [0, 1].map(() => ({ identity, storage: memory() as Storage })))
  const tabs: { identity: string; storage: Storage; engine: TestEngine; screen: Screen }[] = []
  const openTab = ({ identity, storage }: { identity: string; storage: Storage }) => {
    const engine = engineFor(identity, storage, {
      transport: relay.transport(identity),
      random: () => below(2 ** 32) / 2 ** 32,
    })
    tabs.push({ identity, storage, engine, screen: new Screen(engine) })
  }
  for (const device of devices) openTab(device)
  await turns()
  const [first] = tabs
  if (!first) throw new Error('no tabs')
  const { sid, draft } = first.engine.newConversation({ friendlyName: 'Trip' })
  await first.engine.submit(sid, [
    draft,
    { type: 'conversation.join' },
    { type: 'participant.add', identity: 'bob' },
    { type: 'participant.add', identity: 'carol' },
  ])
  await turns()
  let written = 0
  const posts: { id: string; storage: Storage }[] = []
  const withdrawn = new Set<string>()
  for (let step = 0; step < 40; step++) {
    const tab = tabs[below(tabs.length)]
    if (!tab) continue
    const { engine } = tab
    if (!engine.conversation(sid) && tab.identity !== 'carol') {
      throw new Error(`seed ${seed}: ${tab.identity} lost it at ${step}`)
    }
    const action = below(16)
    if (!engine.conversation(sid) && action < 7) continue
    if (action < 5) {
      const draft = { type: 'message.post' as const, body: `${tab.identity} ${written++}` }
      // somebody may be removed between looking and writing
      const posted = await engine.submit(sid, [draft], { wait: 'durable' }).catch(unlessGone)
      posts.push(...posted.map(({ id }) => ({ id, storage: tab.storage })))
    } else if (action < 7) {
      const { items } = await engine.messages(sid, { count: 5, direction: 'backwards' })
      const own = items.filter(({ record }) => record.author === tab.identity)
      const one = own[below(own.length || 1)]
      if (!one) continue
      const { sid: message } = one.record
      if (action === 5) {
        await engine
          .submit(sid, [{ type: 'message.edit', sid: message, body: `edit ${written++}` }], {
            wait: 'durable',
          })
          .catch(unlessGone)
      } else {
        if (one.status === 'pending') withdrawn.add(message)
        void engine.removeMessage(sid, message).catch(() => {})
      }
    } else if (action === 7) await (below(2) ? engine.goOffline() : engine.goOnline())
    else if (action === 8) relay.up ? relay.goDown() : relay.comeUp()
    else if (action === 9) {
      await engine.shutdown()
      tabs.splice(tabs.indexOf(tab), 1)
      openTab(tab)
      await turns()
    } else if (action === 10 && tabs.length < 9) {
      openTab(tab)
      await turns()
    } else if (action === 11) relay.startEpoch(sid)
    else if (action === 12) {
      const carol = participantSid(sid, { identity: 'carol' })
      const draft = relay.replica(sid).participant(carol)
        ? { type: 'participant.remove', sid: carol }
        : { type: 'participant.add', identity: 'carol' }
      relay.by('alice', sid, draft)
    } else if (action === 13) relay.losesOutcomes = !relay.losesOutcomes
    else if (action === 14) {
      if (relay.holdsUploads) relay.decideHeld()
      else relay.holdsUploads = true
    } else if (action === 15 && below(3) === 0) {
      relay.nacks.push({ code: 70602, message: 'taken', retryAfter: 0 })
    }
    if (below(2)) await turns()
  }
  relay.losesOutcomes = false
  relay.decideHeld()
  await turns()
  // what is gone without an outcome is asked for again at the next connection
  relay.goDown()
  await turns()
  relay.comeUp()
  for (const { engine } of tabs) await engine.goOnline()
  for (let i = 0; i < 4; i++) await turns()
  const truth = relay.bodies(sid)
  const label = `seed ${seed}`
  for (const { id, storage } of posts) {
    const held = tabs.some(
      (tab) =>
        tab.storage === storage && tab.engine.heldOperations().some(({ operation }) => operation.id === id),
    )
    const isKept = held || relay.outcome(sid, id)?.verdict === 'accepted' || withdrawn.has(messageSidOf(id))
    expect(isKept, `${label}: what was posted as ${id} is accepted or held`).toBe(true)
  }
  for (const { engine, screen, identity } of tabs) {
    expect(engine.pendingOperations(), label).toEqual([])
    if (identity === 'carol' && !relay.replica(sid).participant(participantSid(sid, { identity }))) {
      expect(engine.conversation(sid), label).toBeUndefined()
      expect(screen.mistakes, label).toEqual([])
      expect(screen.shown, label).toEqual([])
      continue
    }
    const { items } = await engine.messages(sid, { count: 1000, direction: 'backwards' })
    expect(
      items.map(({ record }) => `${record.index} ${record.body}`),
      label,
    ).toEqual(truth)
    expect(engine.pendingOperations(), label).toEqual([])
    expect(screen.mistakes, label).toEqual([])
    expect(screen.shown, label).toEqual(items.map(line))
  }
  await Promise.all(tabs.map(({ engine }) => engine.shutdown()))
}

describe('a screen that only listens', () => {
  it.each(Array.from({ length: 40 }, (_, i) => i + 1))('shows what reading shows, seed %i', run)
})
