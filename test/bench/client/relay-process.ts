/** A relay with quiet conversations in a process of its own: says where it is, and what CPU it has used. */
import { type Amount, relayWith } from './stage.ts'

const relay = await relayWith(JSON.parse(process.argv[2] ?? '') as Amount)
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.(user + system)
})
process.on('SIGTERM', () => process.exit(0))
process.send?.(relay.url)
