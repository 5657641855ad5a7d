/** What people say of themselves: `user/<identity>` and `profile/<identity>`, as the engine keeps and tells them. */
import {
  DEFAULT_LIMITS,
  type ProfileRecord,
  profileDocument,
  SERVICE_ADMIN,
  userDocument,
  userSid,
} from '@confab/core'
import { describe, expect, it } from 'vitest'
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createEngine } from '../src/commit/create-engine.ts'
import type { EngineOptions } from '../src/commit/options.ts'
import type { Principal } from '../src/engine.ts'
import type { CommittedOperation } from '../src/hooks.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, operation, principalOf, SERVICE } from './support/device.ts'

const relay = (options: Partial<EngineOptions> = {}) =>
  createEngine({ store: openSqliteStore(':memory:'), now: () => 1000, ...options })

class OtherDevice extends Device {
  override readonly principal: Principal
  constructor(engine: ReturnType<typeof relay>, identity: string, more: Partial<Principal>) {
    super(engine, identity)
    this.principal = { ...principalOf(identity), ...more }
  }
}

const OWN = 'user/ada'
const profileOf = (device: Device, identity: string) =>
  device.doc(profileDocument(identity)).getMap('profile').toJSON() as ProfileRecord
const settingsOf = (device: Device) => device.doc(userDocument(device.identity)).getMap('settings').toJSON()
const conversation = (digit: string) => `CH${digit.repeat(32)}`

/** Whether somebody is connected, as a reader of their profile was last told. */
function online(device: Device): unknown {
  const awareness = new Awareness(new Y.Doc())
  awareness.setLocalState(null)
  for (const update of device.presence) applyAwarenessUpdate(awareness, update, null)
  const states = [...awareness.getStates().values()]
  awareness.destroy()
  return states
}

async function deviceOf(engine: ReturnType<typeof relay>, identity: string): Promise<Device> {
  const device = new Device(engine, identity)
  await device.open(userDocument(identity), true)
  return device
}

describe('a profile', () => {
  it('is written by the relay with the operation, and reaches those who follow it', async () => {
    const engine = relay()
    const ada = await deviceOf(engine, 'ada')
    const bob = await deviceOf(engine, 'bob')
    expect(await bob.open(profileDocument('ada'))).toMatchObject({ status: 'current' })
    const outcomes = await ada.submit(
      OWN,
      operation('user.update', { friendlyName: 'Ada', attributes: { set: [[['mood'], 'fine']] } }),
    )
    expect(outcomes).toMatchObject([{ verdict: 'accepted' }])
    await bob.until(() => 'friendlyName' in profileOf(bob, 'ada'))
    expect(profileOf(bob, 'ada')).toEqual({
      sid: userSid(SERVICE, 'ada'),
      identity: 'ada',
      friendlyName: 'Ada',
      attributes: { mood: 'fine' },
      dateCreated: 1000,
    })
    expect(ada.outbox(OWN)).toEqual([])
    await ada.submit(OWN, operation('user.update', { friendlyName: null }))
    await bob.until(() => !('friendlyName' in profileOf(bob, 'ada')))
    const late = new Device(engine, 'bob')
    await late.open(profileDocument('ada'))
    expect(profileOf(late, 'ada')).toEqual(profileOf(bob, 'ada'))
  })

  it('merges what two devices of one person say, and is there after a restart of the relay', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store })
    const [phone, laptop] = [await deviceOf(engine, 'ada'), await deviceOf(engine, 'ada')]
    const tags = (tag: string) => operation('user.update', { attributes: { add: [[['tags'], [tag]]] } })
    await Promise.all([phone.submit(OWN, tags('a')), laptop.submit(OWN, tags('b'))])
    const again = createEngine({ store })
    const reader = await deviceOf(again, 'bob')
    await reader.open(profileDocument('ada'))
    expect((profileOf(reader, 'ada').attributes as { tags: string[] }).tags.sort()).toEqual(['a', 'b'])
    const device = await deviceOf(again, 'ada')
    await device.submit(OWN, tags('c'))
    await reader.until(() => (profileOf(reader, 'ada').attributes as { tags: string[] }).tags.length === 3)
  })

  it('of somebody unknown looks like one in which nothing stands, in every answer', async () => {
    const engine = relay()
    const ada = await deviceOf(engine, 'ada')
    const eve = await deviceOf(engine, 'eve')
    const other = new OtherDevice(engine, 'eve', { serviceSid: `IS${'6'.repeat(32)}` })
    await ada.submit(OWN, operation('user.update', { friendlyName: 'Ada' }))
    const point = { epoch: 1, commitsId: 99, clock: 1, pending: true }
    const answers = async (device: Device, identity: string) => {
      const document = profileDocument(identity)
      const asked = [
        ...(await engine.open(device, [{ document, epoch: 0, commitsId: 0, clock: 0, pending: false }])),
        ...(await engine.open(device, [{ document, ...point }])),
        await engine.answerStateVector(device, document, Uint8Array.of(0)),
        await engine.upload(
          device,
          document,
          device.write(document, operation('user.update', { friendlyName: 'x' }, 'f'.repeat(32))),
        ),
      ]
      return JSON.stringify(asked).replaceAll(identity, 'X')
    }
    await deviceOf(engine, 'bob') // known, and has said nothing
    expect(await answers(eve, 'bob')).toBe(await answers(eve, 'nob'))
    // another service never meets this one
    expect(await answers(other, 'ada')).toBe(await answers(other, 'ads'))
  })

  it('can be written by nobody directly, and by others only who may edit any user', async () => {
    const engine = relay()
    const ada = await deviceOf(engine, 'ada')
    const eve = await deviceOf(engine, 'eve')
    const admin = new OtherDevice(engine, 'root', { serviceRoleSid: SERVICE_ADMIN })
    await ada.submit(OWN, operation('user.update', { friendlyName: 'Ada' }))
    await eve.open(profileDocument('ada'))
    const forged = operation('user.update', { identity: 'ada', friendlyName: 'Eve was here' })
    expect(await eve.submit('user/eve', forged)).toMatchObject([{ verdict: 'refused', code: 20403 }])
    const direct = eve.write(
      profileDocument('ada'),
      operation('user.update', { friendlyName: 'Eve was here' }),
    )
    expect(await eve.upload(profileDocument('ada'), direct)).toMatchObject({
      kind: 'taken',
      outcomes: [{ verdict: 'later', code: 70201 }],
    })
    const someoneElses = eve.write('user/ada', operation('user.update', { friendlyName: 'Eve' }))
    expect(await eve.upload('user/ada', someoneElses)).toMatchObject({ outcomes: [{ verdict: 'later' }] })
    expect(profileOf(eve, 'ada').friendlyName).toBe('Ada')
    await admin.open('user/root')
    await admin.submit('user/root', operation('user.update', { identity: 'ada', friendlyName: 'Ada L.' }))
    await eve.until(() => profileOf(eve, 'ada').friendlyName === 'Ada L.')
    expect(eve.doc('user/eve').getArray('refusals').toJSON()).toMatchObject([
      { document: 'user/eve', code: 20403 },
    ])
  })
})

it('the system may say something of anybody, and only in a document that can be', async () => {
  const engine = relay()
  const ada = await deviceOf(engine, 'ada')
  await ada.open(profileDocument('ada'))
  const rename = operation('user.update', { friendlyName: 'Ada L.' })
  expect(await engine.submit(SERVICE, OWN, rename, 'rest')).toEqual({ id: rename.id, verdict: 'accepted' })
  expect(await engine.submit(SERVICE, OWN, rename, 'rest')).toEqual({ id: rename.id, verdict: 'accepted' })
  expect(profileOf(ada, 'ada').friendlyName).toBe('Ada L.')
  await expect(engine.submit(SERVICE, 'user/Zoe\u0308', rename, 'rest')).rejects.toMatchObject({
    code: 20001,
  })
  await expect(engine.submit(SERVICE, 'profile/ada', rename, 'rest')).rejects.toMatchObject({ code: 20001 })
})

describe('the private document', () => {
  it('keeps settings while they differ from the default, and forgets them with the conversation', async () => {
    const engine = relay()
    const ada = await deviceOf(engine, 'ada')
    const sid = await ada.create()
    const mute = (conversationSid: string, notificationLevel: 'muted' | 'default') =>
      operation('setting.set', { conversationSid, notificationLevel })
    await ada.submit(OWN, mute(sid, 'muted'), mute(conversation('1'), 'muted'))
    expect(settingsOf(ada)).toEqual({
      [sid]: { notificationLevel: 'muted' },
      [conversation('1')]: { notificationLevel: 'muted' },
    })
    await ada.submit(OWN, mute(conversation('1'), 'default'))
    await ada.submit(sid, operation('conversation.leave', {}))
    await ada.until(() => Object.keys(settingsOf(ada)).length === 0)
  })

  it('keeps push registrations, which hooks hear of and the profile only hints at', async () => {
    const heard: CommittedOperation[] = []
    const engine = relay({ hooks: { afterCommit: (committed) => void heard.push(committed) } })
    const ada = await deviceOf(engine, 'ada')
    const bob = await deviceOf(engine, 'bob')
    await bob.open(profileDocument('ada'))
    await ada.submit(OWN, operation('push.set', { channelType: 'fcm', token: 'secret-token' }))
    const registrations = [{ channelType: 'fcm', token: 'secret-token', dateCreated: 1000 }]
    expect(settingsOf(ada)).toEqual({ push: registrations })
    expect(heard).toMatchObject([
      { conversationSid: OWN, changes: [{ type: 'push.put', registrations }, { type: 'profile.set' }] },
    ])
    await bob.until(() => profileOf(bob, 'ada').notifiable === true)
    expect(JSON.stringify(profileOf(bob, 'ada'))).not.toContain('secret')
    await ada.submit(OWN, operation('push.remove', { channelType: 'fcm', token: 'secret-token' }))
    await bob.until(() => profileOf(bob, 'ada').notifiable === undefined)
    expect(settingsOf(ada)).toEqual({})
  })

  it('asks the hooks, and decides an operation once however often it comes', async () => {
    let asked = 0
    const engine = relay({
      hooks: {
        beforeCommit: ({ operation, user }) => {
          asked++
          if (operation.type !== 'user.update') return undefined
          return user?.profile('ada')?.friendlyName === 'Ada'
            ? { refuse: 'Once is enough' }
            : { amend: { ...operation, friendlyName: 'Ada' } }
        },
      },
    })
    const ada = await deviceOf(engine, 'ada')
    const update = ada.write(OWN, operation('user.update', { friendlyName: 'ada' }))
    await ada.upload(OWN, update)
    await ada.upload(OWN, update)
    await ada.open(profileDocument('ada'))
    expect(profileOf(ada, 'ada').friendlyName).toBe('Ada')
    expect(asked).toBe(1)
    expect(await ada.submit(OWN, operation('user.update', { friendlyName: 'A' }))).toMatchObject([
      { verdict: 'refused', code: 70301 },
    ])
  })

  it('forgets what was set and unset, in another epoch, before it is too much', async () => {
    const limits = { ...DEFAULT_LIMITS, conversationsPerIdentity: 3 }
    const engine = relay({ limits })
    const ada = await deviceOf(engine, 'ada')
    const setting = (n: number, notificationLevel: 'muted' | null) =>
      operation('setting.set', {
        conversationSid: `CH${n.toString(16).padStart(32, '0')}`,
        notificationLevel,
      })
    await ada.submit(OWN, setting(0, 'muted'), operation('push.set', { channelType: 'fcm', token: 'x' }))
    for (let n = 1; n <= 10_001; n += 500) {
      const pairs = Array.from({ length: 500 }, (_, i) => [setting(n + i, 'muted'), setting(n + i, null)])
      await ada.submit(OWN, ...pairs.flat())
    }
    await ada.until(() => ada.told.includes('replaced'))
    expect(Object.keys(settingsOf(ada)).sort()).toEqual([`CH${'0'.repeat(32)}`, 'push'])
    const outcomes = await ada.submit(OWN, setting(1, 'muted'), setting(2, 'muted'), setting(3, 'muted'))
    expect(outcomes.map(({ verdict }) => verdict)).toEqual(['accepted', 'accepted', 'refused'])
  })

  it('refuses what is for a conversation, and goes on in another epoch when its clients pile up', async () => {
    const engine = relay({ limits: { ...DEFAULT_LIMITS, outboxClients: 3 } })
    const ada = await deviceOf(engine, 'ada')
    expect(await ada.submit(OWN, operation('conversation.leave', {}))).toMatchObject([
      { verdict: 'refused', code: 20001 },
    ])
    for (let i = 0; i < 4; i++) {
      const device = await deviceOf(engine, 'ada')
      await device.submit(OWN, operation('user.update', { friendlyName: `Ada ${i}` }))
    }
    await ada.until(() => ada.told.includes('replaced'))
    await ada.open(profileDocument('ada'))
    expect(profileOf(ada, 'ada').friendlyName).toBe('Ada 3')
  })
})

describe('whether somebody is connected', () => {
  it('is told by the relay to those who follow their profile, and by nobody else', async () => {
    const engine = relay()
    const bob = await deviceOf(engine, 'bob')
    await bob.open(profileDocument('ada'))
    await bob.until(() => bob.presence.length === 1)
    expect(online(bob)).toEqual([{ online: false }])
    const phone = await deviceOf(engine, 'ada')
    const laptop = await deviceOf(engine, 'ada')
    expect(online(bob)).toEqual([{ online: true }])
    engine.leave(phone)
    expect(online(bob)).toEqual([{ online: true }])
    engine.leave(laptop)
    expect(online(bob)).toEqual([{ online: false }])

    const lying = new Awareness(new Y.Doc())
    lying.setLocalState({ online: true })
    const { encodeAwarenessUpdate } = await import('y-protocols/awareness')
    const eve = await deviceOf(engine, 'eve')
    await eve.open(profileDocument('ada'))
    engine.awareness(eve, profileDocument('ada'), encodeAwarenessUpdate(lying, [lying.clientID]))
    lying.destroy()
    const foreigner = new OtherDevice(engine, 'ada', { serviceSid: `IS${'6'.repeat(32)}` })
    await foreigner.open('user/ada')
    await eve.submit('user/eve', operation('user.update', { friendlyName: 'Eve' }))
    expect(online(bob)).toEqual([{ online: false }])
  })
})
