/** What a small post costs the relay's engine alone. */
import { rowsOf, type Scenario } from '../scenario.ts'
import { group, PAIRS, withFile } from './grounds.ts'
import { inProcess } from './in-process.ts'

export const name = 'engine'
export const title = "Posts in the relay's engine alone"
export const how =
  'The engine in one process with who drives it: no frames, no sockets. A third of the posts goes ahead unmeasured.'

export const run: Scenario['run'] = async (runs) => {
  const rows = []
  for (const load of [PAIRS, group(50, 5000)]) {
    const message = async (path: string) => ({ message: (await inProcess(load, path)).cpu / load.messages })
    const what = `${load.name}: CPU a message, store`
    rows.push(...(await rowsOf(runs, { message: [`${what} in memory`, 'µs'] }, () => message(':memory:'))))
    rows.push(...(await rowsOf(runs, { message: [`${what} in a file`, 'µs'] }, () => withFile(message))))
  }
  return rows
}
