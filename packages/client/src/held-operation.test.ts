import { ConfabError } from '@confab/core'
import { expect, test } from 'vitest'
import { open, openUninitialised, record, T0 } from '../test/fake-engine.ts'
import { HeldOperation } from './index.ts'

const refused = {
  conversationSid: 'CH1',
  operation: { id: '0'.repeat(32), type: 'message.post', dateWritten: T0, body: 'my words' },
  error: new ConfabError(50430),
  heldAt: T0 + 5,
} as const

test('a refusal is told with what was written, why, and when', async () => {
  const { client, engine } = await open()
  const heard = record(client, ['operationRefused'])
  engine.tell.operationRefused(refused)
  const held = heard[0]?.[1] as HeldOperation
  expect(held).toBeInstanceOf(HeldOperation)
  expect(held.operation.body).toBe('my words')
  expect(held.error.code).toBe(50430)
  expect(held.dateHeld).toEqual(new Date(T0 + 5))
})

test('what is held can be read, sent again and forgotten', async () => {
  const { client, engine } = await open()
  engine.held = [refused]
  const [held] = client.getHeldOperations()
  await held?.resend()
  await held?.discard()
  expect(engine.calls).toEqual([
    ['resend', refused.operation.id],
    ['discard', refused.operation.id],
  ])
})

test('before initialisation nothing is pending and nothing held, and after shutdown nothing is resent', async () => {
  const { client, engine } = await openUninitialised()
  expect(client.getPendingOperations()).toEqual([])
  expect(client.getHeldOperations()).toEqual([])
  engine.held = [refused]
  const [held] = client.getHeldOperations()
  await client.shutdown()
  await expect(held?.resend()).rejects.toMatchObject({ code: 70701 })
})
