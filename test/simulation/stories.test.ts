/**
 * What simulated worlds came upon by chance, told on purpose: the engines of both sides, a network that takes its
 * time, and what an app shows that reads once and listens from then on.
 */
import { messageSidOf, participantSid } from '@confab/core'
import { afterEach, describe, expect, test } from 'vitest'
import type { MessageView, OperationDraft } from '../../packages/client/src/engine/engine.ts'
import { createInvite, joinByInvite } from '../../packages/client/src/invites.ts'
import type { Device, Tab } from './device.ts'
import { judge } from './oracle.ts'
import { World } from './world.ts'

/** Longer than anything takes that needs no retry. */
const SOON = 2_000

let world: World
afterEach(() => world?.end())

/** A world whose pages have two messages, and whose documents at most three. */
async function begin(seed = 1): Promise<void> {
  world = await World.create(seed, { messages: 3, pageMessages: 2, edited: 0, settle: 1 })
}

const soon = () => world.time.advance(SOON)

/** The network is there again, and the device has dialled: it waits half a minute at most between two attempts. */
async function reachable(device: Device): Promise<void> {
  device.link.setReachable(true)
  await world.time.advance(30_000 + SOON)
}

async function person(identity: string): Promise<Device> {
  const device = world.device(identity)
  device.openTab()
  await soon()
  return device
}

const tabOf = (device: Device): Tab => device.tabs.at(-1) as Tab

function say(device: Device, sid: string, drafts: OperationDraft[], tab = tabOf(device)): void {
  tab.engine.submit(sid, drafts).catch((error) => world.failures.push(`${device.name}: ${error}`))
}

/** Posts, and waits until everybody who is there has them. */
async function post(device: Device, sid: string, ...bodies: string[]): Promise<void> {
  for (const body of bodies) {
    say(device, sid, [{ type: 'message.post', body }])
    await soon()
  }
}

/** A conversation of these devices, the first one's. */
async function conversation(creator: Device, ...others: string[]): Promise<string> {
  const { sid, draft } = tabOf(creator).engine.newConversation({ friendlyName: 'talk' })
  const adds = others.map((identity) => ({ type: 'participant.add' as const, identity }))
  say(creator, sid, [draft, { type: 'conversation.join' }, ...adds])
  await soon()
  return sid
}

/** What an app shows that has read once and listened since. */
function shown(device: Device, sid: string, tab = tabOf(device)): string[] {
  const views = [...(tab.screen.conversations.get(sid)?.messages.values() ?? [])]
  const byIndex = (a: MessageView, b: MessageView) => a.record.index - b.record.index
  return views.sort(byIndex).map(({ record }) => `${record.index} ${record.body}`)
}

/** Everybody meets, and nothing is wrong. */
async function atLast(): Promise<void> {
  await world.heal()
  expect(await judge(world)).toEqual([])
}

describe('a relay that was restored, and sealed its history otherwise', () => {
  test('an app shows what is there now, and not what had the same index', async () => {
    // where others may not bring what its author doesn't
    await begin(2)
    const [ann, ben, gone] = [await person('ann'), await person('ben'), await person('cleo')]
    const sid = await conversation(ann, 'ben', 'cleo')
    await post(ann, sid, 'a', 'b')
    await world.backUp()
    await post(gone, sid, 'lost 1', 'lost 2', 'lost 3', 'lost 4')
    expect(shown(ben, sid)).toContain('4 lost 3')
    // the device that has what was lost doesn't come back
    ben.link.setReachable(false)
    world.devices.splice(world.devices.indexOf(gone), 1)
    await gone.shutdown()
    await world.restore()
    await post(ann, sid, 'new 1', 'new 2', 'new 3', 'new 4')
    ben.link.setReachable(true)
    await atLast()
    expect(shown(ben, sid)).toEqual(shown(ann, sid))
    expect(shown(ben, sid)).toContain('4 new 3')
  })

  // tabs may hear each other's news in another order than it was told: whether they do is chance
  test.each(Array.from({ length: 40 }, (_, i) => 2 * i + 1))(
    'what is undecided again is shown once, in every tab (%i)',
    async (seed) => {
      await begin(seed)
      const ann = await person('ann')
      const sid = await conversation(ann)
      await world.backUp()
      await post(ann, sid, 'a', 'b', 'c', 'd', 'e')
      ann.openTab()
      await soon()
      const [offline, online] = ann.tabs as [Tab, Tab]
      void offline.engine.goOffline()
      await soon()
      await world.restore()
      await soon()
      for (const tab of [offline, online])
        expect(shown(ann, sid, tab).map((one) => one.slice(2))).toEqual([...'abcde'])
      await atLast()
    },
  )

  test('somebody who had removed a message reads it again only if nobody brings the removal', async () => {
    await begin()
    const ann = await person('ann')
    const sid = await conversation(ann)
    await post(ann, sid, 'a', 'b', 'c', 'd', 'e')
    await world.backUp()
    const { items } = await page(ann, sid)
    await quietly(tabOf(ann).engine.removeMessage(sid, (items[0] as MessageView).record.sid, 0))
    await world.restore()
    await atLast()
    expect(shown(ann, sid)).toEqual(['1 b', '2 c', '3 d', '4 e'])
  })

  test('a copy that lost its last writes still brings what was accepted', async () => {
    await begin()
    const [ann, ben] = [await person('ann'), await person('ben')]
    const sid = await conversation(ann, 'ben')
    await post(ann, sid, 'a')
    await world.backUp()
    await post(ben, sid, 'b')
    ben.link.setReachable(false)
    // what is undecided makes the next client read the copy before it asks
    await post(ben, sid, 'c')
    tabOf(ben).crash()
    ben.disk.loseRows(sid, 3)
    await world.restore()
    ben.openTab()
    await soon()
    await atLast()
    expect(shown(ann, sid)).toEqual(['0 a', '1 b', '2 c'])
  })

  test('who was removed in the history that goes on, and is let in again, brings again what was accepted', async () => {
    await begin()
    const [ann, ben] = [await person('ann'), await person('ben')]
    const sid = await conversation(ann, 'ben')
    await post(ann, sid, 'a')
    await world.backUp()
    await post(ben, sid, 'b')
    const ends = participantSid(sid, { identity: 'ben' })
    ben.link.setReachable(false)
    await world.restore()
    await soon()
    say(ann, sid, [{ type: 'participant.remove', sid: ends }])
    await soon()
    await reachable(ben)
    expect(tabOf(ben).engine.conversation(sid)).toBeUndefined()
    say(ann, sid, [{ type: 'participant.add', identity: 'ben' }])
    await soon()
    await atLast()
    expect(shown(ann, sid)).toEqual(['0 a', '1 b'])
  })

  test('who comes and goes in one turn of the relay hears of it, whatever they had', async () => {
    await begin()
    const [ann, ben] = [await person('ann'), await person('ben')]
    await world.backUp()
    const sid = await conversation(ann, 'ben')
    ann.link.setReachable(false)
    await world.restore()
    say(ann, sid, [{ type: 'participant.remove', sid: participantSid(sid, { identity: 'ben' }) }])
    await soon()
    expect(tabOf(ben).engine.conversation(sid)).toBeDefined()
    await atLast()
    expect(tabOf(ben).engine.conversation(sid)).toBeUndefined()
  })
})

describe('sealed history, and somebody who was away', () => {
  // whether its page comes before the edit is decided is chance
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'a post that was accepted, sealed and edited meanwhile moves once (%i)',
    async (seed) => {
      await begin(seed)
      const [ann, ben] = [await person('ann'), await person('ben')]
      const sid = await conversation(ann, 'ben')
      world.crashRelay()
      say(ann, sid, [{ type: 'message.post', body: 'first' }])
      await soon()
      const [first] = tabOf(ann).engine.pendingOperations()
      const sidOfFirst = messageSidOf((first as { operation: { id: string } }).operation.id)
      ann.openTab()
      await soon()
      const [, other] = ann.tabs as [Tab, Tab]
      void other.engine.goOffline()
      world.startRelay()
      await until(() => world.commits.outcomes.has((first as { operation: { id: string } }).operation.id))
      ann.link.setReachable(false)
      await post(ben, sid, 'a', 'b', 'c', 'd')
      say(ann, sid, [{ type: 'message.edit', sid: sidOfFirst, body: 'edited' }])
      await soon()
      ann.link.setReachable(true)
      await atLast()
      for (const tab of ann.tabs) expect(shown(ann, sid, tab)).toContain('0 edited')
    },
  )

  test('an edited message whose page was never here is told when it is sealed with another text', async () => {
    await begin()
    const ann = await person('ann')
    const sid = await conversation(ann)
    await post(ann, sid, 'a', 'b', 'c', 'd', 'e')
    const ben = await person('ben')
    say(ann, sid, [{ type: 'participant.add', identity: 'ben' }])
    await until(() => tabOf(ben).engine.conversation(sid) !== undefined)
    ben.link.cut(1006)
    await soon()
    expect(shown(ben, sid)).not.toContain('0 a')
    const edited = ((await page(ann, sid)).items[0] as MessageView).record.sid
    await edit(ann, sid, edited, 'a, edited')
    ben.link.setReachable(false)
    await edit(ann, sid, edited, 'a, edited again')
    await post(ann, sid, 'f', 'g')
    ben.link.setReachable(true)
    await atLast()
    expect(shown(ben, sid)).toContain('0 a, edited again')
  })
})

test('a tab that outlives the one that took an invite gives it up when it has ended', async () => {
  await begin()
  const [ann, ben] = [await person('ann'), await person('ben')]
  const sid = await conversation(ann)
  ann.link.setReachable(false)
  const making = createInvite(tabOf(ann).engine, sid, { expiresIn: 60 })
  await soon()
  const invite = await making
  ben.openTab()
  await soon()
  const [stays, goes] = ben.tabs as [Tab, Tab]
  joinByInvite(goes.engine, invite).catch(() => {})
  await soon()
  goes.crash()
  await world.time.advance(70_000)
  world.devices.splice(world.devices.indexOf(ann), 1)
  await ann.shutdown()
  await world.time.advance(120_000)
  expect(stays.engine.pendingOperations()).toEqual([])
  expect(stays.engine.heldOperations().map(({ error }) => error.code)).toEqual([70202])
  await atLast()
})

async function until(true_: () => boolean): Promise<void> {
  while (!true_()) await world.time.advance(1)
}

/** The engine's answer, with time passing while it looks. */
async function page(device: Device, sid: string) {
  return quietly(tabOf(device).engine.messages(sid, { count: 100, anchor: 0, direction: 'forward' }))
}

async function quietly<T>(answer: Promise<T>): Promise<T> {
  await soon()
  return answer
}

async function edit(device: Device, sid: string, message: string, body: string): Promise<void> {
  await quietly(
    tabOf(device).engine.submit(sid, [{ type: 'message.edit', sid: message, body }], { index: 0 }),
  )
}

describe('what was accepted unheard', () => {
  test('is waited for no longer, though a snapshot that was made since has swallowed its outcome', async () => {
    await begin()
    const [ann, ben] = [await person('ann'), await person('ben')]
    const sid = await conversation(ann)
    await post(ann, sid, 'a', 'b', 'c', 'd', 'e')
    const invite = await quietly(createInvite(tabOf(ann).engine, sid, {}))
    await soon()
    const join = joinByInvite(tabOf(ben).engine, invite)
    join.catch(() => {})
    const isIn = () => world.commits.members.get(sid)?.has('ben') === true
    while (!isIn() && (await world.time.step())) {
      // until the relay has let them in
    }
    ben.link.setReachable(false)
    // another device has to be told everything, for which a snapshot is made
    await soon()
    const other = world.device('ann')
    other.openTab()
    await soon()
    await reachable(ben)
    expect(tabOf(ben).engine.pendingOperations()).toEqual([])
    await atLast()
  })
})

test('two devices of one person, each with two tabs, come back from a week apart with all that was written, once', async () => {
  await begin()
  const [phone, laptop, ben] = [await person('ann'), await person('ann'), await person('ben')]
  for (const device of [phone, laptop]) device.openTab()
  await soon()
  const sid = await conversation(ben, 'ann')
  await post(ben, sid, 'before')
  for (const { tabs } of [phone, laptop]) for (const { engine } of tabs) await quietly(engine.goOffline())
  const written = ['before']
  for (let day = 0; day < 7; day++) {
    for (const [name, device] of Object.entries({ phone, laptop })) {
      for (const [i, tab] of device.tabs.entries()) {
        const body = `${name} ${i}, day ${day}`
        say(device, sid, [{ type: 'message.post', body }], tab)
        written.push(body)
        await soon()
      }
    }
    await post(ben, sid, `ben, day ${day}`)
    written.push(`ben, day ${day}`)
    // nobody is there at night, so nothing but time passes
    await quietly(tabOf(ben).engine.goOffline())
    await world.time.advance(86_400_000)
    await quietly(tabOf(ben).engine.goOnline())
  }
  for (const device of [phone, laptop]) {
    for (const tab of device.tabs) expect(tab.engine.pendingOperations()).toHaveLength(14)
  }
  for (const { tabs } of [laptop, phone]) for (const { engine } of tabs) await quietly(engine.goOnline())
  await atLast()
  const { items } = await page(phone, sid)
  const bodies = items.map(({ record }) => record.body)
  expect([...bodies].sort()).toEqual([...written].sort())
  // each device's own order is kept
  for (const name of ['phone', 'laptop', 'ben']) {
    const its = (all: readonly (string | null | undefined)[]) => all.filter((body) => body?.startsWith(name))
    expect(its(bodies)).toEqual(its(written))
  }
})
