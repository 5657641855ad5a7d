/** What is deleted by REST is in none of the relay's files: not in the store, not in the log, not in the documents. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { bytesIn } from '../support/bytes-in.ts'
import { onStage, person } from './stage.ts'

const folder = mkdtempSync(join(tmpdir(), 'confab-rest-erasing-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const isInFiles = (text: string): boolean => bytesIn(folder).includes(text)

test('of a conversation, a message and a person, while the relay runs and after it has closed', async () => {
  const stage = await onStage({ database: join(folder, 'relay.sqlite'), sealing: { settle: 20 } })
  const { rest, url } = stage
  const ada = await person({ url }, 'ada')
  await person({ url }, 'bob')
  const kept = await rest.conversations.create({ friendlyName: 'kept-name' })
  await rest.conversations(kept.sid).participants.create({ identity: 'ada' })
  const removed = await rest
    .conversations(kept.sid)
    .messages.create({ body: 'secret-message', attributes: '{"a":"secret-mark"}' })
  await rest.conversations(kept.sid).messages(removed.sid).update({ body: 'secret-edited' })
  await rest.conversations(kept.sid).messages.create({ body: 'kept-message' })

  const gone = await rest.conversations.create({
    friendlyName: 'secret-friendly',
    uniqueName: 'secret-unique',
    attributes: '{"a":"secret-attribute"}',
  })
  for (const identity of ['ada', 'bob'])
    await rest.conversations(gone.sid).participants.create({ identity, attributes: '{"a":"secret-seat"}' })
  await rest.conversations(gone.sid).messages.create({ body: 'secret-body', subject: 'secret-subject' })
  await vi.waitFor(() => ada.getConversationByUniqueName('secret-unique'))
  await rest.users('bob').update({ friendlyName: 'secret-bob', attributes: '{"a":"secret-trait"}' })

  const secrets = [
    ...[
      'secret-message',
      'secret-mark',
      'secret-edited',
      'secret-friendly',
      'secret-unique',
      'secret-attribute',
    ],
    ...['secret-seat', 'secret-body', 'secret-subject', 'secret-bob', 'secret-trait'],
  ]
  for (const text of secrets) expect([text, isInFiles(text)]).toEqual([text, true])
  await rest.conversations(kept.sid).messages(removed.sid).remove()
  await rest.conversations(gone.sid).remove()
  await rest.users('bob').remove()
  await vi.waitFor(() => expect(secrets.filter(isInFiles)).toEqual([]), { timeout: 15_000, interval: 20 })
  await stage.close()
  expect(secrets.filter(isInFiles)).toEqual([])
  for (const text of ['kept-name', 'kept-message']) expect(isInFiles(text)).toBe(true)
  expect(stage.failures).toEqual([])
})
