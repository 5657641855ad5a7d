/** What administrators do is on record: who, when, what, and never the values, which may be secrets. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { ACCOUNT, OTHER_ACCOUNT, OTHER_TOKEN, onStage, TOKEN } from '../rest/stage.ts'

const auditOf = async (httpUrl: string, sid = ACCOUNT, token = TOKEN, before = '') => {
  const response = await fetch(`${httpUrl}/v1/Audit${before}`, {
    headers: { authorization: `Basic ${btoa(`${sid}:${token}`)}` },
  })
  return ((await response.json()) as { entries: { [key: string]: unknown }[] }).entries
}

test('what changes how the relay works is on record, for its own account; what servers do all day is not', async () => {
  const { rest, httpUrl } = await onStage()
  const { sid } = await rest.conversations.create({ friendlyName: 'Tea' })
  await rest.conversations(sid).messages.create({ body: 'Hello' })
  await rest.configuration.webhooks().update({ postWebhookUrl: 'https://hooks.example.org/?secret=1' })
  const role = await rest.roles.create({
    friendlyName: 'reader',
    type: 'conversation',
    permission: ['leaveConversation'],
  })
  await rest.roles(role.sid).remove()
  await rest.conversations(sid).remove()
  const entries = await auditOf(httpUrl)
  expect(entries.map(({ act, target, fields }) => [act, target, fields])).toEqual([
    ['DELETE Conversations', `/v1/Conversations/${sid}`, []],
    ['DELETE Roles', `/v1/Roles/${role.sid}`, []],
    ['POST Roles', '/v1/Roles', ['FriendlyName', 'Type', 'Permission']],
    ['POST Configuration/Webhooks', '/v1/Configuration/Webhooks', ['PostWebhookUrl']],
  ])
  expect(entries[0]).toMatchObject({
    actor: ACCOUNT,
    date: expect.stringMatching(/^\d{4}-/),
    request_id: expect.stringMatching(/^RQ/),
  })
  expect(JSON.stringify(entries)).not.toContain('secret')
  expect(await auditOf(httpUrl, ACCOUNT, TOKEN, `?Before=${entries[1]?.position}`)).toEqual(entries.slice(2))
  expect(await auditOf(httpUrl, OTHER_ACCOUNT, OTHER_TOKEN)).toEqual([])
})

test('what is on record stays as it is: the database itself refuses', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-audit-'))
  const database = join(folder, 'relay.sqlite')
  try {
    const relay = await onStage({ database })
    await relay.rest.services.create({ friendlyName: 'Other' })
    await relay.close()
    const db = new DatabaseSync(database)
    expect(db.prepare('SELECT act FROM audit').all()).toMatchObject([{ act: 'POST Services' }])
    expect(() => db.exec("UPDATE audit SET actor = 'nobody'")).toThrow(/append only/)
    expect(() => db.exec('DELETE FROM audit')).toThrow(/append only/)
    db.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
