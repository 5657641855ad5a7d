import { expect, test } from 'vitest'
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { systemPlatform } from './platform.ts'
import { Typing } from './typing.ts'

test('a stock reader sees from the first sign on that somebody is typing', () => {
  const awareness = new Awareness(new Y.Doc())
  awareness.setLocalState(null)
  const typing = new Typing(systemPlatform(), 'ada', () => {})
  applyAwarenessUpdate(awareness, typing.announce(), null)
  expect([...awareness.getStates().values()]).toEqual([{ identity: 'ada', typing: true }])
  awareness.destroy()
})
