/** People in the engine: what is said of oneself under lost outcomes, nacks, epochs and tabs; who is followed. */
import { userDocument } from '@confab/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { OperationDraft } from '../../src/engine/engine.ts'
import { memory } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'
import { YRelay } from './y-relay.ts'

const engines: TestEngine[] = []
afterEach(() => Promise.all(engines.splice(0).map((engine) => engine.shutdown())))

function start(relay: YRelay | null, identity: string, storage: Storage = memory()): TestEngine {
  const engine = engineFor(identity, storage, relay ? { transport: relay.transport(identity) } : {})
  engines.push(engine)
  return engine
}

const OWN = userDocument('alice')
const SID = `CH${'1'.repeat(32)}`
const named = (friendlyName: string): OperationDraft => ({ type: 'user.update', friendlyName })
const mute: OperationDraft = { type: 'setting.set', conversationSid: SID, notificationLevel: 'muted' }
const nameOf = (engine: TestEngine, identity = 'alice') => engine.user(identity).record?.friendlyName ?? null

/** Resolves when nothing is undecided. */
async function settled(engine: TestEngine): Promise<void> {
  while (engine.pendingOperations().length > 0) await turns()
}

describe('what is said of oneself', () => {
  it('with no network is shown, told after its promise, and there after a restart', async () => {
    const storage = memory()
    const first = start(null, 'alice', storage)
    await first.ready
    first.news()
    await first.submitForUser([named('Alice'), mute])
    expect(first.news()).toEqual([])
    expect([nameOf(first), first.notificationLevel(SID)]).toEqual(['Alice', 'muted'])
    await first.heard('userUpdated alice Alice (friendlyName')
    await first.submitForUser([named('Alice'), mute])
    expect(
      first.pendingOperations().map(({ operation, conversationSid }) => [operation.type, conversationSid]),
    ).toEqual([
      ['user.update', null],
      ['setting.set', null],
    ])
    await first.shutdown()
    const second = start(null, 'alice', storage)
    await second.ready
    expect([nameOf(second), second.notificationLevel(SID)]).toEqual(['Alice', 'muted'])
    expect(second.told.filter(([event]) => event === 'userUpdated')).toEqual([])
  })

  it('is sent once, even when its outcome is lost on the way', async () => {
    const relay = new YRelay()
    relay.losesOutcomes = true
    const engine = start(relay, 'alice')
    await engine.heard('connectionStateChanged connected')
    const submitting = engine.submitForUser([named('Alice')])
    while (relay.profile('alice') === null) await turns()
    relay.goDown()
    await submitting
    expect(engine.pendingOperations()).toHaveLength(1)
    relay.losesOutcomes = false
    relay.by('alice', OWN, named('Alice, elsewhere'))
    relay.comeUp()
    await settled(engine)
    expect(nameOf(engine)).toBe('Alice, elsewhere')
  })

  it('is sent again under a fresh client id when the first is somebody else’s, before and after the first commit', async () => {
    const relay = new YRelay()
    const engine = start(relay, 'alice')
    await engine.heard('connectionStateChanged connected')
    relay.nacks.push({ code: 70602, message: 'taken', retryAfter: 0 })
    await engine.submitForUser([named('One')])
    await settled(engine)
    expect(relay.profile('alice')?.friendlyName).toBe('One')
    relay.nacks.push({ code: 70602, message: 'taken', retryAfter: 0 })
    await engine.submitForUser([named('Two')])
    await settled(engine)
    expect(relay.profile('alice')?.friendlyName).toBe('Two')
    expect(engine.heldOperations()).toEqual([])
  })

  it('is sent again after a while when the relay could not take it', async () => {
    const relay = new YRelay()
    const engine = start(relay, 'alice')
    await engine.heard('connectionStateChanged connected')
    relay.nacks.push({ code: 70502, message: 'full', retryAfter: 10 })
    await engine.submitForUser([named('One')])
    await settled(engine)
    expect(relay.profile('alice')?.friendlyName).toBe('One')
  })

  it('survives an epoch of the private document while it is undecided', async () => {
    const relay = new YRelay()
    const storage = memory()
    const engine = start(relay, 'alice', storage)
    await engine.heard('connectionStateChanged connected')
    await engine.submitForUser([mute])
    await settled(engine)
    relay.holdsUploads = true
    const submitting = engine.submitForUser([named('Alice')])
    await turns()
    relay.startEpoch(OWN)
    await turns()
    expect([nameOf(engine), engine.notificationLevel(SID)]).toEqual(['Alice', 'muted'])
    relay.decideHeld()
    relay.goDown()
    relay.comeUp()
    await submitting
    await settled(engine)
    expect(relay.profile('alice')?.friendlyName).toBe('Alice')
    await engine.shutdown()
    const again = start(null, 'alice', storage)
    await again.ready
    expect([nameOf(again), again.notificationLevel(SID)]).toEqual(['Alice', 'muted'])
  })

  it('is held when the relay refuses it, in every tab, and can be sent again or discarded', async () => {
    const relay = new YRelay()
    const storage = memory()
    const one = start(relay, 'alice', storage)
    const two = start(null, 'alice', storage)
    await one.heard('connectionStateChanged connected')
    await two.ready
    relay.goDown()
    await one.submitForUser([{ ...named('Mine'), identity: 'bob' } as OperationDraft])
    // a device doesn't know what its person may do to others
    expect(nameOf(one, 'bob')).toBe('Mine')
    relay.comeUp()
    await one.heard('operationRefused user.update 20403')
    await two.heard('operationRefused user.update 20403')
    expect(nameOf(one, 'bob')).toBeNull()
    const [held] = one.heldOperations()
    expect(held).toMatchObject({ conversationSid: null, error: { code: 20403 } })
    await expect(one.resend(held!.operation.id)).rejects.toMatchObject({ code: 20403 })
    const [again] = one.heldOperations()
    expect(one.heldOperations()).toHaveLength(1)
    await one.discard(again!.operation.id)
    expect(one.heldOperations()).toEqual([])
    await turns()
    expect(two.heldOperations()).toEqual([])
  })

  it('is told to the other tabs, and sent by whichever has a connection', async () => {
    const relay = new YRelay()
    const storage = memory()
    const writer = start(null, 'alice', storage)
    const sender = start(relay, 'alice', storage)
    await sender.heard('connectionStateChanged connected')
    await writer.ready
    await writer.submitForUser([named('Alice'), mute])
    await sender.heard('userUpdated alice Alice')
    await settled(writer)
    await settled(sender)
    expect(relay.profile('alice')?.friendlyName).toBe('Alice')
    expect(writer.notificationLevel(SID)).toBe('muted')
  })
})

describe('following', () => {
  it('tells of changes from then on, until it ends; what was seen is readable offline', async () => {
    const relay = new YRelay()
    relay.tellsPresence = true
    relay.by('bob', userDocument('bob'), named('Bob'))
    const storage = memory()
    const engine = start(relay, 'alice', storage)
    await engine.heard('connectionStateChanged connected')
    expect(engine.user('bob')).toEqual({ identity: 'bob', record: null, online: null, notifiable: null })
    const following = engine.followUser('bob')
    engine.unfollowUser('nobody')
    engine.unfollowUser('alice')
    expect((await following).record?.friendlyName).toBe('Bob')
    engine.news()
    relay.by('bob', userDocument('bob'), named('Robert'))
    await engine.heard('userUpdated bob Robert (friendlyName)')
    engine.unfollowUser('bob')
    relay.by('bob', userDocument('bob'), named('Rob'))
    await turns()
    expect(engine.news()).toEqual(['userUpdated bob Robert (friendlyName)'])
    await engine.shutdown()
    const offline = start(null, 'alice', storage)
    await offline.ready
    expect((await offline.followUser('bob')).record?.friendlyName).toBe('Robert')
    expect((await offline.followUser('stranger')).record).toBeNull()
  })

  it('goes on after a reconnection, from where it was, and over an epoch of the profile', async () => {
    const relay = new YRelay()
    relay.tellsPresence = true
    relay.by('bob', userDocument('bob'), named('Bob'))
    const engine = start(relay, 'alice')
    await engine.heard('connectionStateChanged connected')
    await engine.followUser('bob')
    relay.goDown()
    relay.by('bob', userDocument('bob'), named('Robert'))
    relay.comeUp()
    await engine.heard('userUpdated bob Robert')
    relay.startEpoch('profile/bob')
    relay.by('bob', userDocument('bob'), named('Bobby'))
    await engine.heard('userUpdated bob Bobby')
    expect(
      relay.opened.filter(({ document }) => document === 'profile/bob').map(({ point }) => point.clock > 0),
    ).toEqual([false, true])
  })
})
