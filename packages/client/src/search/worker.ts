/** The index in a worker of the page, which keeps its files for it. */
import type { Files } from '../engine/reader.ts'
import { connect, type Port } from './calls.ts'
import { ShardedIndex } from './shards.ts'

const index = {}
const { theirs: files } = connect<Files>(globalThis as unknown as Port, index)
const sharded = new ShardedIndex(files)
for (const method of ['shards', 'stamps', 'change', 'save', 'drop', 'find'] as const)
  Object.assign(index, { [method]: sharded[method].bind(sharded), ready: async () => true })
