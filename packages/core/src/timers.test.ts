import { describe, expect, it } from 'vitest'
import { nextTransition } from './timers.ts'

const MINUTE = 60_000
const state = (current: 'active' | 'inactive' | 'closed') => ({ current, dateUpdated: 0 })

describe('the timers of a conversation', () => {
  it('make it inactive first, and close it from there', () => {
    const timers = { inactive: 'PT1M', closed: 'PT10M' }
    expect(nextTransition({ timers }, 5)).toEqual({ to: 'inactive', at: 5 + MINUTE })
    expect(nextTransition({ timers, state: state('active') }, 5)?.to).toBe('inactive')
    expect(nextTransition({ timers, state: state('inactive') }, 5)).toEqual({
      to: 'closed',
      at: 5 + 10 * MINUTE,
    })
  })

  it('close it from any state when that comes first, or is all there is', () => {
    expect(nextTransition({ timers: { inactive: 'PT1H', closed: 'PT10M' } }, 0)?.to).toBe('closed')
    expect(nextTransition({ timers: { closed: 'PT10M' } }, 0)?.to).toBe('closed')
  })

  it('are over when nothing is left to do', () => {
    expect(nextTransition({}, 0)).toBe(null)
    expect(nextTransition({ timers: { inactive: 'PT1M' }, state: state('inactive') }, 0)).toBe(null)
    expect(nextTransition({ timers: { closed: 'PT10M' }, state: state('closed') }, 0)).toBe(null)
  })
})
