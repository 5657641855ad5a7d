/**
 * What the SDK costs its app: the list of conversations from a cold start, and a long conversation's last page.
 *
 *     npm run bench:client -- [--runs 5] [--only list,history] [--conversations 1000] [--messages 100]
 */
import { parseArgs } from 'node:util'
import { benchHistory } from './history.ts'
import { benchList } from './list.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: 'list,history' },
    conversations: { type: 'string', default: '1000' },
    messages: { type: 'string', default: '100' },
  },
})
const runs = Number(values.runs)
const only = values.only.split(',')
if (only.includes('list')) {
  await benchList({ conversations: Number(values.conversations), messages: Number(values.messages) }, runs)
}
if (only.includes('history')) await benchHistory([1000, 100_000], runs)
