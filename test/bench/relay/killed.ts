/** What is left of a post that another client has seen when the server is killed in that moment. */
import type { Scenario } from '../scenario.ts'
import { compared } from './compared.ts'
import { ServerProcess, withFolder } from './process.ts'
import { PEERS, type Target } from './targets.ts'

export const name = 'killed'
export const title = 'SIGKILL right after another client saw the post'
export const hasPeers = true
const TRIALS = 20
export const how = `One posts; as soon as the other has it, the server gets SIGKILL; it is started again on the same files, and somebody with nothing opens the conversation. ${TRIALS} trials make a run, each in the same conversation behind the last; lost is what isn't there then. \`npm run test:long\` does the same to Confab a thousand times at random moments.`

const make = { conversations: 1, members: 3 }

const measure = (target: Target): Promise<{ lost: number }> =>
  withFolder(async (folder) => {
    let server = await ServerProcess.start(target, { folder, make })
    const [document = ''] = server.documents
    let lost = 0
    for (let trial = 0; trial < TRIALS; trial++) {
      const [author, reader] = await Promise.all(
        [0, 1].map((member) => target.connect(server.url, document, { conversation: 0, member })),
      )
      if (!author || !reader) throw new Error('nobody')
      const seen = new Promise<void>((resolve) => {
        reader.arrived = (numbers) => {
          if (numbers.includes(trial)) resolve()
        }
      })
      author.post(trial)
      await seen
      await server.end('SIGKILL')
      server = await ServerProcess.start(target, { folder })
      if (!(await isThere(target, server, document, trial))) lost++
    }
    await server.end()
    return { lost }
  })

/** Milliseconds that somebody waits for what a server may still be reading. */
const PATIENCE = 300

async function isThere(
  target: Target,
  { url }: ServerProcess,
  document: string,
  trial: number,
): Promise<boolean> {
  let told: () => void = () => {}
  const waited = new Promise<void>((resolve) => {
    told = resolve
    setTimeout(resolve, PATIENCE)
  })
  let isHere = false
  const look = (numbers: number[]) => {
    isHere ||= numbers.includes(trial)
    if (isHere) told()
  }
  const late = await target.connect(url, document, { conversation: 0, member: 2 }, look)
  if (!isHere) await waited
  late.terminate()
  return isHere
}

export const run: Scenario['run'] = (runs, options) =>
  compared(
    runs,
    options,
    `${TRIALS} trials`,
    { lost: ['lost', ''] },
    measure,
    PEERS.filter(({ hasStore }) => hasStore),
  )
