/** One showing in a process of its own, which has run nothing before; says what it took. */
import { directory, memory } from '@confab/client'
import { show } from './showing.ts'

const { where, folder, newest } = JSON.parse(process.argv[2] ?? '')
const before = process.cpuUsage()
const storage = folder ? directory(folder) : memory()
const time = await show(where, storage, newest)
const { user, system } = process.cpuUsage(before)
process.send?.({ time, cpu: (user + system) / 1000 })
process.disconnect?.()
