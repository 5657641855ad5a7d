import { configDefaults, defineConfig } from 'vitest/config'

// Browser tests (`*.browser.test.ts`) run here too: they run in Node and drive Chromium themselves.
export const include = [
  'packages/*/src/**/*.test.ts',
  'packages/*/test/**/*.test.ts',
  'server/src/**/*.test.ts',
  'server/test/**/*.test.ts',
  'examples/**/*.test.ts',
  'test/**/*.test.ts',
]

export default defineConfig({
  test: {
    include,
    exclude: [...configDefaults.exclude, '**/dist/**', '**/*.long.test.ts'],
    passWithNoTests: true,
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
