/** One benchmark in a process of its own, so that none finds another's code compiled or its garbage lying about. */
import { scenarios } from './scenarios.ts'

const [, , name = '', runs = '', peers = ''] = process.argv
const scenario = scenarios.find((one) => one.name === name)
if (!scenario) throw new Error(`No such benchmark: ${name}`)
process.send?.(await scenario.run(Number(runs), { peers: peers === 'peers' }))
process.disconnect?.()
