/** The relay of one benchmark run, in a process of its own: says where it is, and what CPU it has used. */
import { createRelay } from '../../../server/src/index.ts'
import { type Load, setUp } from './load.ts'

const [, , database = '', json = ''] = process.argv
const load = JSON.parse(json) as Load
const unlimited = Number.MAX_SAFE_INTEGER
const relay = await createRelay({
  port: 0,
  database,
  accessKeys: { SKbench: 'a secret of the benchmark, long enough' },
  limits: { operationsPerSecond: unlimited, bytesPerSecond: unlimited },
})
const sids = await setUp(load, relay.system.submit)
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.(user + system)
})
process.on('SIGTERM', () => process.exit(0))
process.send?.({ url: relay.url, sids })
