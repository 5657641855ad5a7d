/** What the hooks do under React 19, they do under 18. */
import { createRequire } from 'node:module'
import * as React from 'react'
import { expect, test, vi } from 'vitest'

vi.mock('react', () => from18('react'))
vi.mock('react-dom/client', () => from18('react-dom/client'))
vi.mock('react-dom/server', () => from18('react-dom/server'))

/** From the folder that has a React 18 of its own: its react-dom takes the react beside it. */
function from18(name: string): object {
  return { ...createRequire(new URL('../../../test/support/react-18/package.json', import.meta.url))(name) }
}

test('this is React 18', () => expect(React.version).toMatch(/^18\./))

await import('./hooks.test.ts')
