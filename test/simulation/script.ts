/** What people and faults do in a simulated world: one random step at a time. */

import { createInvite, joinByInvite } from '../../packages/client/src/invites.ts'
import type { Device, Tab } from './device.ts'
import { isRefusal } from './link.ts'
import type { World } from './world.ts'

interface Scene {
  world: World
  device: Device
  tab: Tab
}

/** A conversation of the tab that its person takes part in; null when there is none. */
function aConversation({ world, tab }: Scene): string | null {
  const joined = tab.engine.conversations().filter((view) => view.status === 'joined')
  return joined.length > 0 ? world.random.pick(joined).sid : null
}

const IDENTITIES = ['ann', 'ben', 'cleo', 'dan']

/** What the last invites were, for somebody to take. */
const invites = new WeakMap<World, string[]>()

const steps: { [name: string]: { weight: number; run: (scene: Scene) => Promise<unknown> | undefined } } = {
  create: {
    weight: 3,
    run: ({ world, tab }) => {
      if (tab.engine.conversations().length >= 4) return undefined
      const { sid, draft } = tab.engine.newConversation({ friendlyName: `talk ${world.random.int(0, 99)}` })
      return tab.engine.submit(sid, [draft, { type: 'conversation.join' }])
    },
  },
  post: {
    weight: 30,
    run: (scene) => {
      const sid = aConversation(scene)
      return sid
        ? scene.tab.engine.submit(sid, [
            { type: 'message.post', body: `${scene.device.name} ${scene.world.random.int(0, 1e6)} 🦜` },
          ])
        : undefined
    },
  },
  postMany: {
    weight: 2,
    run: (scene) => {
      const sid = aConversation(scene)
      if (!sid) return undefined
      const drafts = Array.from({ length: scene.world.random.int(2, 12) }, (_, at) => ({
        type: 'message.post' as const,
        body: `${at}`,
      }))
      return scene.tab.engine.submit(sid, drafts)
    },
  },
  attach: {
    weight: 6,
    run: (scene) => {
      const sid = aConversation(scene)
      const { random } = scene.world
      const media = () => ({
        sid: `ME${Buffer.from(random.bytes(16)).toString('hex')}`,
        category: 'media' as const,
        contentType: 'image/png',
        size: random.int(1, 9),
        sha256: 'a'.repeat(64),
      })
      const post = { type: 'message.post' as const, body: `picture ${random.int(0, 1e6)}` }
      return sid
        ? scene.tab.engine.submit(sid, [
            { ...post, media: random.chance(0.5) ? [media()] : [media(), media()] },
          ])
        : undefined
    },
  },
  edit: {
    weight: 6,
    run: (scene) =>
      onMessage(scene, (sid, message) =>
        scene.tab.engine.submit(sid, [
          { type: 'message.edit', sid: message, body: `edited ${scene.world.random.int(0, 1e6)}` },
        ]),
      ),
  },
  react: {
    weight: 5,
    run: (scene) =>
      onMessage(scene, (sid, message) =>
        scene.tab.engine.submit(sid, [
          {
            type: 'message.edit',
            sid: message,
            attributes: { add: [[['hearts'], [scene.device.identity]]] },
          },
        ]),
      ),
  },
  remove: {
    weight: 4,
    run: (scene) => onMessage(scene, (sid, message) => scene.tab.engine.removeMessage(sid, message)),
  },
  rename: {
    weight: 3,
    run: (scene) => {
      const sid = aConversation(scene)
      return sid
        ? scene.tab.engine.submit(sid, [
            { type: 'conversation.update', friendlyName: `name ${scene.world.random.int(0, 99)}` },
          ])
        : undefined
    },
  },
  add: {
    weight: 6,
    run: (scene) => {
      const sid = aConversation(scene)
      return sid
        ? scene.tab.engine.submit(sid, [
            { type: 'participant.add', identity: scene.world.random.pick(IDENTITIES) },
          ])
        : undefined
    },
  },
  expel: {
    weight: 2,
    run: async (scene) => {
      const sid = aConversation(scene)
      if (!sid) return
      const people = await scene.tab.engine.participants(sid)
      if (people.length > 0)
        await scene.tab.engine.submit(sid, [
          { type: 'participant.remove', sid: scene.world.random.pick(people).record.sid },
        ])
    },
  },
  leave: {
    weight: 1,
    run: (scene) => {
      const sid = aConversation(scene)
      return sid ? scene.tab.engine.submit(sid, [{ type: 'conversation.leave' }]) : undefined
    },
  },
  read: {
    weight: 5,
    run: (scene) => {
      const sid = aConversation(scene)
      return sid
        ? scene.tab.engine.submit(sid, [{ type: 'read.advance', index: scene.world.random.int(0, 30) }], {
            wait: 'durable',
          })
        : undefined
    },
  },
  invite: {
    weight: 2,
    run: async (scene) => {
      const sid = aConversation(scene)
      if (!sid) return
      const invite = await createInvite(scene.tab.engine, sid, {
        maxUses: scene.world.random.int(1, 2),
        expiresIn: 600,
      })
      invites.set(scene.world, [...(invites.get(scene.world) ?? []).slice(-3), invite])
    },
  },
  takeInvite: {
    weight: 3,
    run: (scene) => {
      const known = invites.get(scene.world)
      return known ? joinByInvite(scene.tab.engine, scene.world.random.pick(known)) : undefined
    },
  },
  offline: {
    weight: 3,
    run: async ({ device }) => device.link.setReachable(false),
  },
  online: {
    weight: 5,
    run: async ({ device }) => device.link.setReachable(true),
  },
  goOffline: { weight: 1, run: ({ tab }) => tab.engine.goOffline() },
  goOnline: { weight: 2, run: ({ tab }) => tab.engine.goOnline() },
  cut: { weight: 3, run: async ({ device }) => device.link.cut(1006) },
  crashTab: {
    weight: 2,
    run: async ({ device, tab }) => {
      tab.crash()
      if (device.tabs.length + device.opening === 0) device.openTab()
    },
  },
  secondTab: {
    weight: 1,
    run: async ({ device }) => {
      if (device.tabs.length + device.opening < 2) device.openTab()
    },
  },
  crashRelay: {
    weight: 1,
    run: async ({ world }) => {
      if (world.relay()) world.crashRelay()
    },
  },
  startRelay: {
    weight: 3,
    run: async ({ world }) => {
      if (!world.relay()) world.startRelay()
    },
  },
  noTokens: { weight: 1, run: async ({ device, world }) => device.setTokens(world.random.chance(0.5)) },
}

async function onMessage(
  scene: Scene,
  act: (conversation: string, message: string) => Promise<unknown>,
): Promise<void> {
  const sid = aConversation(scene)
  if (!sid) return
  const page = await scene.tab.engine.messages(sid, { count: 20, direction: 'backwards' })
  if (page.items.length > 0) await act(sid, scene.world.random.pick(page.items).record.sid)
}

const total = Object.values(steps).reduce((sum, { weight }) => sum + weight, 0)

function aStep(world: World): string {
  let at = world.random.int(0, total - 1)
  for (const [name, { weight }] of Object.entries(steps)) {
    at -= weight
    if (at < 0) return name
  }
  throw new Error('weights')
}

/** Something that happens: it need not be over when this returns. Refusals are part of life; other errors aren't. */
export async function happen(world: World): Promise<void> {
  const device = world.random.pick(world.devices)
  if (device.tabs.length === 0) return
  const tab = world.random.pick(device.tabs)
  const name = aStep(world)
  world.note(`${device.name} ${name}`)
  const failed = (error: unknown) => {
    if (isRefusal(error)) world.note(`${device.name} ${name} refused: ${error.code} ${error.message}`)
    else world.failures.push(`${device.name} ${name}: ${error instanceof Error ? error.stack : error}`)
  }
  try {
    steps[name]?.run({ world, device, tab })?.catch(failed)
  } catch (error) {
    failed(error)
  }
}
