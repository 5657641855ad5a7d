/** One seed: a world, some people, some trouble, then peace, then judgement. */

import { judge } from './oracle.ts'
import { happen } from './script.ts'
import { World } from './world.ts'

export interface Result {
  seed: number
  wrong: string[]
  trace: string[]
  operations: number
  messages: number
  epochs: number
  /** Document writes that crashes lost. */
  lostRows: number
  /** How often the relay got an older copy of its disk. */
  restores: number
}

/** @param restoring share of the worlds in which the relay gets an older copy of its disk */
export async function simulate(seed: number, restoring = 0.15): Promise<Result> {
  const world = await World.create(seed)
  const { random } = world
  const people = ['ann', 'ben', 'cleo', 'dan'].slice(0, random.int(2, 4))
  for (const identity of people) {
    const device = world.device(identity)
    device.openTab()
  }
  // somebody has a second device
  if (random.chance(0.7)) world.device(random.pick(people)).openTab()
  if (random.chance(0.3)) world.tokenLife = random.int(5_000, 30_000)
  await world.time.advance(100)
  // most worlds begin with a conversation that people are in
  if (random.chance(0.8)) await begin(world)
  const happenings = random.int(10, 70)
  // some relays lose their disk, and get an older copy of it
  const backUpAt = random.chance(restoring) ? random.int(0, happenings) : -1
  const restoreAt = backUpAt < 0 ? -1 : random.int(backUpAt, happenings)
  for (let i = 0; i < happenings && world.failures.length === 0; i++) {
    if (i === backUpAt) await world.backUp()
    if (i === restoreAt) await world.restore()
    await happen(world)
    await world.time.advance(random.chance(0.1) ? random.int(0, 10_000) : random.int(0, 200))
  }
  await world.heal()
  const wrong = await judge(world)
  const messages = [...world.commits.indices.values()].reduce((sum, { size }) => sum + size, 0)
  const { trace } = world
  const result = {
    seed,
    wrong,
    trace,
    operations: world.commits.outcomes.size,
    messages,
    epochs: world.commits.epochs,
    lostRows: world.devices.reduce((sum, { disk }) => sum + disk.lostRows, 0),
    restores: world.restores,
  }
  await world.end()
  return result
}

async function begin(world: World): Promise<void> {
  const engine = world.devices[0]?.tabs[0]?.engine
  if (!engine) return
  const { sid, draft } = engine.newConversation({ friendlyName: 'the first' })
  const people = new Set(world.devices.slice(1).map(({ identity }) => identity))
  people.delete(world.devices[0]?.identity ?? '')
  const adds = [...people].map((identity) => ({ type: 'participant.add' as const, identity }))
  engine
    .submit(sid, [draft, { type: 'conversation.join' }, ...adds])
    .catch((error) => world.failures.push(`the first conversation: ${error}`))
  await world.time.advance(world.random.int(100, 3000))
}
