import { CLOSE_CODES } from '@confab/core'
import { expect, test } from 'vitest'
import { Reconnect } from './reconnect.ts'

const CLOSED = 1006

test('waiting doubles from a quarter of a second to half a minute, and each wait is a random share of it', () => {
  const longest = new Reconnect(() => 1)
  const delays = Array.from({ length: 10 }, () => longest.ended(CLOSED, 0).delay)
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  const half = new Reconnect(() => 0.5)
  expect([half.ended(CLOSED, 0).delay, half.ended(CLOSED, 0).delay]).toEqual([125, 250])
})

test('a connection that lived ten seconds makes the next wait short; one that was cut at once does not', () => {
  const reconnect = new Reconnect(() => 1)
  for (let i = 0; i < 4; i++) reconnect.ended(CLOSED, 0)
  reconnect.welcomed(1000)
  expect(reconnect.ended(CLOSE_CODES.tooManyRequests, 1100).delay).toBe(4000)
  reconnect.welcomed(20_000)
  expect(reconnect.ended(CLOSED, 30_000).delay).toBe(250)
})

test('permanent codes end it, the others do not', () => {
  for (const code of [
    CLOSE_CODES.violation,
    CLOSE_CODES.unauthenticated,
    CLOSE_CODES.forbidden,
    CLOSE_CODES.version,
  ]) {
    expect(new Reconnect(() => 0).ended(code, 0).permanent).toBe(true)
  }
  for (const code of [
    0,
    1000,
    CLOSED,
    CLOSE_CODES.restarting,
    CLOSE_CODES.internal,
    CLOSE_CODES.slowReader,
  ]) {
    expect(new Reconnect(() => 0).ended(code, 0).permanent).toBe(false)
  }
})

test('an expired token is renewed at once, and only once until a connection succeeds', () => {
  const reconnect = new Reconnect(() => 1)
  expect(reconnect.ended(CLOSE_CODES.tokenExpired, 0)).toEqual({ permanent: false, delay: 0 })
  expect(reconnect.ended(CLOSE_CODES.tokenExpired, 0).permanent).toBe(true)
  reconnect.reset()
  expect(reconnect.ended(CLOSE_CODES.tokenExpired, 0).permanent).toBe(false)
  reconnect.welcomed(0)
  expect(reconnect.ended(CLOSE_CODES.tokenExpired, 0).permanent).toBe(false)
})

test('after a reason for hope the next failure waits shortly', () => {
  const reconnect = new Reconnect(() => 1)
  for (let i = 0; i < 6; i++) reconnect.ended(CLOSED, 0)
  reconnect.reset()
  expect(reconnect.ended(CLOSED, 0).delay).toBe(250)
})
