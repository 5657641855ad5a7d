/** Calls between two sides, one of which may die in the middle. */
import { expect, test, vi } from 'vitest'
import { connect, type Port } from './calls.ts'

interface Echo {
  say(word: string): Promise<string>
  never(): Promise<never>
}

const echo: Echo = { say: async (word) => `${word}!`, never: () => new Promise(() => {}) }

/** Two ports; what is posted on one arrives at the other a moment later. */
function pair(): [Port, Port] {
  const make = (): Port => ({ postMessage() {}, onmessage: null })
  const [one, two] = [make(), make()]
  one.postMessage = (data) => queueMicrotask(() => two.onmessage?.({ data }))
  two.postMessage = (data) => queueMicrotask(() => one.onmessage?.({ data }))
  return [one, two]
}

test('calls that wait when the other side dies are rejected, and so are later ones', async () => {
  const [here, there] = pair()
  connect(there, echo)
  const { theirs, end } = connect<Echo>(here, {})
  expect(await theirs.say('tea')).toBe('tea!')
  const waiting = theirs.never()
  end(new Error('dead'))
  await expect(waiting).rejects.toThrow('dead')
  await expect(theirs.say('tea')).rejects.toThrow('dead')
})

test('a silent side is told of while a call waits, and not while it waits for this one or nobody waits', async () => {
  vi.useFakeTimers()
  try {
    const [here, there] = pair()
    let release: (value: string) => void = () => {}
    const slow = { slow: () => new Promise<string>((resolve) => (release = resolve)) }
    const { theirs: mine } = connect<typeof slow>(there, { ...echo, ask: () => mine.slow() })
    const broken = vi.fn()
    const { theirs } = connect<Echo & { ask(): Promise<string> }>(here, slow, { longest: 1000, broken })
    await theirs.say('tea')
    await vi.advanceTimersByTimeAsync(5000)
    const asked = theirs.ask()
    await vi.advanceTimersByTimeAsync(5000)
    expect(broken).not.toHaveBeenCalled()
    release('at last')
    expect(await asked).toBe('at last')
    void theirs.never()
    await vi.advanceTimersByTimeAsync(999)
    expect(broken).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(broken).toHaveBeenCalledOnce()
  } finally {
    vi.useRealTimers()
  }
})
