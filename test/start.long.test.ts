import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freshClone, startAndChat, systemNode, terminal } from './support/clone.ts'

let clone: Awaited<ReturnType<typeof freshClone>>
beforeAll(async () => {
  clone = await freshClone()
})
afterAll(() => clone?.remove())

it('npm start in a fresh clone sets itself up with Node 20 and npm alone, and two people chat', async () => {
  expect(systemNode()).toBeGreaterThanOrEqual(20)
  if (systemNode() !== 20) console.warn(`The system has Node ${systemNode()}, not 20.`)
  try {
    execFileSync('npm', ['ping'], { cwd: clone.folder, env: terminal(), stdio: 'pipe' })
  } catch (error) {
    throw new Error('THE NPM REGISTRY IS NOT REACHABLE FROM HERE: a first start could not be tried', {
      cause: error,
    })
  }
  const started = performance.now()
  await startAndChat(clone.folder)
  console.log(`set up, chatted and ended in ${Math.round((performance.now() - started) / 1000)} s`)
})
