import { describe, expect, test } from 'vitest'
import { ReplayEventEmitter } from './emitter.ts'

type Events = { said: (word: string) => void; done: () => void }

describe('an emitter', () => {
  test('calls its listeners in the order in which they came, and chains', () => {
    const heard: string[] = []
    const emitter = new ReplayEventEmitter<Events>()
    const same = emitter
      .on('said', (word) => heard.push(`a ${word}`))
      .addListener('said', (word) => heard.push(`b ${word}`))
      .once('said', (word) => heard.push(`c ${word}`))
    expect(same).toBe(emitter)
    expect(emitter.emit('said', '1')).toBe(true)
    expect(emitter.emit('said', '2')).toBe(true)
    expect(emitter.emit('done')).toBe(false)
    expect(heard).toEqual(['a 1', 'b 1', 'c 1', 'a 2', 'b 2'])
  })

  test('forgets a listener by off and removeListener, one registration at a time', () => {
    const heard: string[] = []
    const listener = (word: string) => void heard.push(word)
    const emitter = new ReplayEventEmitter<Events>().on('said', listener).on('said', listener)
    emitter.off('said', listener).emit('said', 'once')
    emitter.removeListener('said', listener).off('said', listener).emit('said', 'never')
    expect(heard).toEqual(['once'])
    expect(emitter.listenerCount('said')).toBe(0)
  })

  test('forgets the listeners of one event, or all', () => {
    const emitter = new ReplayEventEmitter<Events>().on('said', () => {}).on('done', () => {})
    emitter.removeAllListeners('said')
    expect(emitter.eventNames()).toEqual(['done'])
    emitter.removeAllListeners()
    expect(emitter.eventNames()).toEqual([])
  })

  test('goes on calling the others when a listener throws, and reports the error to the platform', async () => {
    const emitter = new ReplayEventEmitter<Events>()
    const failure = new Error('a bug of the app')
    const mine = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const reported = new Promise((resolve) => process.once('uncaughtException', resolve))
    const heard: string[] = []
    emitter.on('done', () => {
      throw failure
    })
    emitter.on('done', () => heard.push('still called'))
    emitter.emit('done')
    expect(heard).toEqual(['still called'])
    expect(await reported).toBe(failure)
    for (const listener of mine) process.on('uncaughtException', listener)
  })

  test('may be listened to and left while it emits', () => {
    const heard: string[] = []
    const emitter = new ReplayEventEmitter<Events>()
    const second = () => void heard.push('second')
    emitter.on('done', () => {
      heard.push('first')
      emitter.off('done', second).on('done', () => heard.push('third'))
    })
    emitter.on('done', second)
    emitter.emit('done')
    expect(heard).toEqual(['first', 'second'])
  })

  test('replays the newest event to whoever asks, and nothing when there was none', () => {
    const heard: string[] = []
    const emitter = new ReplayEventEmitter<Events>()
    emitter.onWithReplay('said', (word) => heard.push(`early ${word}`))
    emitter.emit('said', '1')
    emitter.emit('said', '2')
    emitter.onWithReplay('said', (word) => heard.push(`late ${word}`))
    emitter.addListenerWithReplay('said', (word) => heard.push(`later ${word}`))
    emitter.onceWithReplay('said', (word) => heard.push(`once ${word}`))
    emitter.emit('said', '3')
    expect(heard).toEqual([
      'early 1',
      'early 2',
      'late 2',
      'later 2',
      'once 2',
      'early 3',
      'late 3',
      'later 3',
    ])
  })

  test('makes the arguments of an event only when somebody listens', () => {
    const emitter = new ReplayEventEmitter<Events>()
    let made = 0
    const make = (): [string] => [`made ${++made}`]
    emitter.emitLazily('said', make)
    expect(made).toBe(0)
    const heard: string[] = []
    emitter.onWithReplay('said', (word) => heard.push(word))
    emitter.on('said', (word) => heard.push(word)).emitLazily('said', make)
    expect(heard).toEqual(['made 1', 'made 2', 'made 2'])
  })
})
