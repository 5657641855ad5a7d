/** A long conversation's last page, at two lengths. */
import { medianOf, type Row, type Scenario } from '../scenario.ts'
import { openAgainAndAgain, PAGE } from './history.ts'

export const name = 'history'
export const title = 'The last page of a long conversation'
export const how = `A device in Node with memory() opens a conversation that it holds as one document and shows its last ${PAGE} messages; beside it the bare \`Y.applyUpdate\` of the document's bytes, which is the least that it can take.`

export const run: Scenario['run'] = async (runs) => {
  const rows: Row[] = []
  for (const messages of [1000, 100_000]) {
    // the first ones are slower for both, and by luck for either
    await openAgainAndAgain(messages, 1)
    const { opened, bare } = await openAgainAndAgain(messages, runs)
    const what = `${messages.toLocaleString('en')} messages`
    rows.push({ what: `${what}: the page`, unit: 'ms', runs: opened })
    rows.push({ what: '… bare Y.applyUpdate', unit: 'ms', runs: bare })
    rows.push({ what: '… ratio of the medians', unit: '', runs: [medianOf(opened) / medianOf(bare)] })
  }
  return rows
}
