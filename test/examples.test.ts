/** The plain Yjs example, as its readers run it: one process for each person. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_LIMITS } from '@confab/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConversation } from './support/conversation.ts'
import { memberSid, operation, post } from './support/operations.ts'
import { Program } from './support/program.ts'
import { openDocument, type Reader } from './support/reader.ts'
import { startRelay, type TestRelay, tokenFor } from './support/relay.ts'

const CHAT = join(import.meta.dirname, '../examples/plain-yjs/chat.ts')

describe('examples/plain-yjs', () => {
  let folder: string
  let relay: TestRelay
  let sid: string
  let alice: Reader
  const programs: Program[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'confab-example-'))
    relay = await startRelay({ database: join(folder, 'relay.sqlite') })
    ;({ sid, creator: alice } = await createConversation(relay.url, ['alice', 'bob', 'carol']))
  })
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.stop('SIGKILL')))
    await relay.close()
    await rm(folder, { recursive: true, force: true })
  })

  const port = () => Number(new URL(relay.url).port)
  const restarted = async (at: number) => {
    relay = await startRelay({ database: join(folder, 'relay.sqlite'), port: at })
  }
  async function chat(identity: string): Promise<Program> {
    const token = await tokenFor(identity)
    const program = new Program(process.execPath, [
      CHAT,
      relay.url,
      sid,
      token,
      join(folder, `${identity}.ydoc`),
    ])
    programs.push(program)
    return program
  }

  it('shows a conversation live and posts to it', async () => {
    await alice.accepted(post('written before'))
    const [bob, carol] = await Promise.all([chat('bob'), chat('carol')])
    await bob.line('0 alice: written before')
    bob.say('hello, carol')
    await carol.line('1 bob: hello, carol')
    carol.say('hello, bob')
    await Promise.all([bob.line('2 carol: hello, bob'), carol.line('2 carol: hello, bob')])
    expect(bob.lines).toEqual(['0 alice: written before', '1 bob: hello, carol', '2 carol: hello, bob'])
    expect(carol.lines).toEqual(bob.lines)
    expect(await Promise.all([bob.finish(), carol.finish()])).toEqual([0, 0])
  })

  it('keeps what is posted offline over a restart, and merges', async () => {
    const bob = await chat('bob')
    await alice.accepted(post('before the storm'))
    await bob.line('0 alice: before the storm')
    const at = port()
    await relay.close()

    bob.say('written with no relay')
    bob.say('and another')
    await bob.finish()
    const again = await chat('bob')
    // from its own file: nobody else is there
    await again.line('0 alice: before the storm')
    again.say('after a restart')

    await restarted(at)
    const carol = await chat('carol')
    await carol.line('1 bob: written with no relay')
    await carol.line('2 bob: and another')
    await carol.line('3 bob: after a restart')
    await again.line('3 bob: after a restart')
    expect(again.lines).toEqual(carol.lines)
  })

  it('is refused what the SDK would be refused', async () => {
    const [bob, carol] = await Promise.all([chat('bob'), chat('carol')])
    const mallory = await chat('mallory')
    await mallory.line(/closed for good: 4404/)
    // too long a message leaves the outbox and reaches nobody; the connection lives
    bob.say('x'.repeat(DEFAULT_LIMITS.bodyBytes + 1))
    bob.say('short enough')
    await carol.line('0 bob: short enough')
    // nor does anything of somebody who was removed
    await alice.accepted(operation('participant.remove', { sid: memberSid(sid, 'bob') }), post('he is gone'))
    await carol.line('1 alice: he is gone')
    await bob.line(/closed for good: 4404/)
    bob.say('I am still here')
    await alice.accepted(post('quiet now'))
    await carol.line('2 alice: quiet now')
    expect(carol.lines).toEqual(['0 bob: short enough', '1 alice: he is gone', '2 alice: quiet now'])
    const witness = await openDocument('native', relay.url, 'carol', sid)
    expect(witness.bodies).toEqual(['short enough', 'he is gone', 'quiet now'])
    expect(relay.failures).toEqual([])
  })
})
