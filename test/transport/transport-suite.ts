/** What the engine relies on, whichever way its documents travel: the same sentences over every transport. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { TransportFactory } from '../../packages/client/src/transport/transport.ts'
import {
  conversationSid,
  type Operation,
  type OperationType,
  participantSid,
  userDocument,
} from '../../packages/core/src/index.ts'
import { createAccessToken, createRelay, type Log, type Relay } from '../../server/src/index.ts'
import { Device } from './device.ts'

const KEY = 'SK1'
const SECRET = 'a secret of the transport suite, long enough'
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }
const ACCOUNT = `AC${'1'.repeat(32)}`

let ids = 0
const freshId = () => (++ids).toString(16).padStart(32, '0')

type Draft<Type extends OperationType> = Omit<
  Extract<Operation, { type: Type }>,
  'id' | 'type' | 'dateWritten'
>
const operation = <Type extends OperationType>(type: Type, draft: Draft<Type>): Operation =>
  ({ id: freshId(), type, dateWritten: 1_700_000_000_000, ...draft }) as unknown as Operation

const token = (identity: string, ttl?: number) =>
  createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity, ...(ttl ? { ttl } : {}) })

export function transportSuite(name: string, factory: TransportFactory): void {
  describe(name, () => {
    let directory: string
    let relay: Relay
    let devices: Device[]

    const startRelay = (port = 0) =>
      createRelay({
        port,
        database: join(directory, 'relay.sqlite'),
        accessKeys: { [KEY]: SECRET },
        logger: SILENT,
      })

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'confab-'))
      relay = await startRelay()
      devices = []
    })
    afterEach(async () => {
      await Promise.all(devices.map(({ transport }) => transport.stop()))
      await relay.close()
      await rm(directory, { recursive: true, force: true })
    })

    function device(identity: string, options: { token?: () => Promise<string>; url?: string } = {}): Device {
      const { url = relay.url, token: fetch = () => token(identity) } = options
      const made = new Device({ identity, factory, url, token: fetch })
      devices.push(made)
      return made.start()
    }

    /** A conversation of ada's that these identities have joined, and ada's device in it. */
    async function conversation(...members: string[]): Promise<{ ada: Device; sid: string }> {
      const ada = await device('ada').connected()
      const nonce = freshId()
      const sid = conversationSid('ada', nonce)
      const operations = [
        operation('conversation.create', { nonce, friendlyName: 'Lunch' }),
        operation('conversation.join', {}),
        ...members.map((identity) => operation('participant.add', { identity })),
      ]
      ada.push(sid, ...operations)
      ada.open(sid)
      for (const { id } of operations) expect(await ada.outcome(id)).toMatchObject({ verdict: 'accepted' })
      await ada.until(() => ada.doc(sid).getMap('participants').size === members.length + 1)
      return { ada, sid }
    }

    async function member(identity: string, sid: string): Promise<Device> {
      const device = await enter(identity, sid)
      await device.until(() => device.doc(sid).getMap('participants').size > 0)
      return device
    }
    const enter = async (identity: string, sid: string): Promise<Device> => {
      const joined = await device(identity).connected()
      joined.open(sid)
      return joined
    }

    async function post(from: Device, sid: string, body: string): Promise<void> {
      const posted = operation('message.post', { body })
      from.push(sid, posted)
      expect(await from.outcome(posted.id)).toMatchObject({ verdict: 'accepted' })
    }

    test('it connects and says who it is', async () => {
      const ada = device('ada')
      const { welcome } = await ada.next('connected')
      expect(welcome).toMatchObject({ identity: 'ada', accountSid: ACCOUNT })
      expect(welcome.expiresAt).toBeGreaterThan(Date.now())
      expect(ada.told.map(({ type }) => type)).toEqual(['connecting', 'connected'])
    })

    test('a person’s own private document opens, empty at first, and learns of their conversations', async () => {
      const ben = await device('ben').connected()
      ben.open(userDocument('ben'))
      await ben.next('current', userDocument('ben'))
      const { sid } = await conversation('ben')
      await ben.until(() => ben.doc(userDocument('ben')).getMap('conversations').has(sid))
    })

    test('an operation is uploaded, its outcome is heard, and what came of it is in the document', async () => {
      const { ada, sid } = await conversation()
      await post(ada, sid, 'hello')
      await ada.until(() => ada.bodies(sid).length === 1)
      expect(ada.doc(sid).getMap('conversation').get('friendlyName')).toBe('Lunch')
      expect(ada.bodies(sid)).toEqual(['hello'])
    })

    test('a refused operation’s outcome says why, and the connection lives', async () => {
      const { ada, sid } = await conversation()
      const refused = operation('message.post', { body: 'x'.repeat(40_000) })
      ada.push(sid, refused)
      expect(await ada.outcome(refused.id)).toMatchObject({ verdict: 'refused', code: 70101 })
      await post(ada, sid, 'shorter')
      expect(ada.told.map(({ type }) => type)).not.toContain('disconnected')
    })

    test('a member sees what another member does, and each other’s messages in one order', async () => {
      const { ada, sid } = await conversation('ben')
      await post(ada, sid, 'before')
      const ben = await member('ben', sid)
      await ben.until(() => ben.bodies(sid).length === 1)
      await Promise.all([post(ada, sid, 'from ada'), post(ben, sid, 'from ben')])
      await Promise.all([ada, ben].map((one) => one.until(() => one.bodies(sid).length === 3)))
      expect(ada.bodies(sid)).toEqual(ben.bodies(sid))
    })

    test('presence travels between members', async () => {
      const { ada, sid } = await conversation('ben')
      const ben = await member('ben', sid)
      const awareness = new Awareness(new Y.Doc())
      awareness.setLocalState({ identity: 'ada', typing: true })
      const heard = ben.next('awareness', sid)
      ada.transport.awareness(sid, encodeAwarenessUpdate(awareness, [awareness.clientID]))
      awareness.destroy()
      await heard
      expect(new TextDecoder().decode(ben.presence[0])).toContain('typing')
    })

    test('to a stranger, a conversation and one that doesn’t exist look the same', async () => {
      const { sid } = await conversation()
      const eve = await device('eve').connected()
      const absent = [eve.next('absent', sid), eve.next('absent', `CH${'0'.repeat(32)}`)]
      eve.open(sid, `CH${'0'.repeat(32)}`)
      await Promise.all(absent)
      const told = (document: string) =>
        eve.told.filter((one) => 'document' in one && one.document === document).map(({ type }) => type)
      expect(told(sid)).toEqual(told(`CH${'0'.repeat(32)}`))
      expect(eve.doc(sid).getMap('conversation').size).toBe(0)
    })

    test('a stranger’s operation on another’s conversation is answered, and changes nothing', async () => {
      const { ada, sid } = await conversation()
      const eve = await device('eve').connected()
      const intrusion = operation('message.post', { body: 'let me in' })
      eve.push(sid, intrusion)
      eve.open(sid)
      await eve.next('absent', sid)
      await post(ada, sid, 'among us')
      await ada.until(() => ada.bodies(sid).length === 1)
      expect(ada.bodies(sid)).toEqual(['among us'])
      expect(eve.bodies(sid)).toEqual([])
    })

    test('who is removed loses the document at once, and hears nothing more of it', async () => {
      const { ada, sid } = await conversation('ben')
      const ben = await member('ben', sid)
      const lost = ben.next('absent', sid)
      const removal = operation('participant.remove', { sid: participantSid(sid, { identity: 'ben' }) })
      ada.push(sid, removal)
      await ada.outcome(removal.id)
      await lost
      await post(ada, sid, 'without ben')
      // a later round trip of ben's own shows that nothing was on its way
      ben.open(userDocument('ben'))
      await ben.until(() => ben.told.some((one) => 'document' in one && one.document === userDocument('ben')))
      expect(ben.bodies(sid)).toEqual([])
      const last = ben.told.findLast((one) => 'document' in one && one.document === sid)
      expect(last?.type).toBe('absent')
    })

    test('who was removed and is added again reads on', async () => {
      const { ada, sid } = await conversation('ben')
      const ben = await member('ben', sid)
      const lost = ben.next('absent', sid)
      ada.push(sid, operation('participant.remove', { sid: participantSid(sid, { identity: 'ben' }) }))
      await lost
      const back = operation('participant.add', { identity: 'ben' })
      ada.push(sid, back)
      await ada.outcome(back.id)
      await post(ada, sid, 'welcome back')
      ben.transport.close([sid])
      ben.open(sid)
      await ben.until(() => ben.bodies(sid).includes('welcome back'))
      await post(ben, sid, 'thanks')
    })

    test('a document that is closed brings nothing more, and opened again it catches up', async () => {
      const { ada, sid } = await conversation('ben')
      const ben = await member('ben', sid)
      ben.transport.close([sid])
      await post(ada, sid, 'unheard')
      expect(ben.bodies(sid)).toEqual([])
      ben.open(sid)
      await ben.until(() => ben.bodies(sid).length === 1)
    })

    test('after the relay restarts it connects again by itself, and goes on where it was', async () => {
      const { ada, sid } = await conversation('ben')
      const ben = await member('ben', sid)
      await post(ada, sid, 'before')
      await ben.until(() => ben.bodies(sid).length === 1)
      const cut = [ada.next('disconnected'), ben.next('disconnected')]
      await relay.close()
      expect(await Promise.all(cut)).toMatchObject([{ permanent: false }, { permanent: false }])
      const written = operation('message.post', { body: 'while it was down' })
      ada.push(sid, written)
      relay = await startRelay(Number(new URL(relay.url).port))
      await Promise.all([ada.connected(), ben.connected()])
      expect(await ada.outcome(written.id)).toMatchObject({ verdict: 'accepted' })
      await post(ben, sid, 'after')
      await Promise.all([ada, ben].map((one) => one.until(() => one.bodies(sid).length === 3)))
      expect(ben.bodies(sid)).toEqual(['before', 'while it was down', 'after'])
      expect(ada.bodies(sid)).toEqual(ben.bodies(sid))
    })

    test('a relay that isn’t there is tried again, and found when it comes', async () => {
      const { port } = new URL(relay.url)
      await relay.close()
      const ada = device('ada')
      expect(await ada.next('disconnected')).toMatchObject({ code: 0, permanent: false })
      relay = await startRelay(Number(port))
      ada.transport.wake()
      await ada.connected()
    })

    test('a token that is running out is announced, and the connection goes on with the next one', async () => {
      let fetched = 0
      const ada = device('ada', { token: () => token('ada', fetched++ === 0 ? 2 : 3600) })
      const { expiresAt } = await ada.next('tokenExpiring')
      expect(expiresAt - Date.now()).toBeLessThanOrEqual(2000)
      expect(await ada.next('disconnected')).toMatchObject({ code: 4402, permanent: false })
      await ada.connected()
      expect(fetched).toBe(2)
    })

    test('a token that was always expired is asked for once more, then it is over until another is brought', async () => {
      let fetched = 0
      const expired = () => {
        fetched++
        return createAccessToken({
          ...{ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity: 'ada', ttl: 60 },
          now: Date.now() - 3_600_000,
        })
      }
      const ada = device('ada', { token: expired })
      await ada.until(() => ada.told.some((one) => one.type === 'disconnected' && one.permanent))
      expect(ada.told.filter(({ type }) => type !== 'connecting')).toEqual([
        { type: 'disconnected', code: 4402, permanent: false },
        { type: 'disconnected', code: 4402, permanent: true },
      ])
      expect(fetched).toBe(2)
      ada.transport.setToken(await token('ada'))
      await ada.connected()
    })

    test('a token that nobody trusts ends it at once', async () => {
      const forged = () =>
        createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: `${SECRET}?`, identity: 'ada' })
      const ada = device('ada', { token: forged })
      expect(await ada.next('disconnected')).toMatchObject({ code: 4401, permanent: true })
    })

    test('a token that can’t be fetched is a failed attempt, and the next attempt asks again', async () => {
      let fetched = 0
      const ada = device('ada', {
        token: async () => {
          if (fetched++ === 0) throw new Error('the token server is away')
          return token('ada')
        },
      })
      expect(await ada.next('disconnected')).toMatchObject({ code: 0, permanent: false })
      await ada.connected()
    })

    test('an update that is none ends the connection for good', async () => {
      const { ada, sid } = await conversation()
      // a struct that claims to be another's
      const forged = new Y.Doc()
      forged.getArray('messages').push([{ sid: 'IM1', index: 0, author: 'ben', body: 'forged' }])
      const end = ada.next('disconnected')
      ada.transport.update(sid, Y.encodeStateAsUpdate(forged))
      expect(await end).toMatchObject({ code: 4400, permanent: true })
    })

    test('what is stopped is silent, and can be started again', async () => {
      const { ada, sid } = await conversation('ben')
      const ben = await member('ben', sid)
      await ben.transport.stop()
      const told = ben.told.length
      await post(ada, sid, 'unheard')
      expect(ben.told).toHaveLength(told)
      ben.start()
      await ben.until(() => ben.bodies(sid).length === 1)
    })
  })
}
