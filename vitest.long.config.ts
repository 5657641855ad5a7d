import { configDefaults, defineConfig } from 'vitest/config'

// One file at a time: these measure, kill and fill disks, so they must not compete with each other.
export default defineConfig({
  test: {
    include: ['packages/**/*.long.test.ts', 'server/**/*.long.test.ts', 'test/**/*.long.test.ts'],
    exclude: [...configDefaults.exclude, '**/dist/**'],
    passWithNoTests: true,
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
  },
})
