/** The table that says, of every member that an app for Twilio's SDK can use, what becomes of it. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { compareDeclarations, type Row } from './compare.ts'
import { NOTES } from './notes.ts'

const TABLE = join(import.meta.dirname, '../../docs/twilio-compatibility.md')

let rows: Row[] = []
// the compiler reads two large sets of declarations
beforeAll(() => {
  rows = compareDeclarations()
}, 120_000)

const keyOf = ({ group, member }: Row) => `${group} ${member}`

test('every member is there and of its type, or a note says why not', () => {
  const unexplained = rows.filter((row) => row.state !== 'same' && !NOTES[keyOf(row)])
  expect(unexplained).toEqual([])
})

test('every note is about a member', () => {
  const known = new Set(rows.map(keyOf))
  expect(Object.keys(NOTES).filter((key) => !known.has(key))).toEqual([])
})

test('the comparison sees what apps use most', () => {
  const used = [
    'Client getSubscribedConversations',
    'Client (static) create',
    'Client (events) messageAdded',
    'Conversation sendMessage',
    'Conversation on',
    'Message body',
    'Types Paginator',
    'Types JSONValue',
  ]
  const same = rows.filter(({ state }) => state === 'same').map(keyOf)
  expect(same).toEqual(expect.arrayContaining(used))
})

test('docs/twilio-compatibility.md says so (vitest -u writes it)', async () => {
  await expect(tableOf(rows)).toMatchFileSnapshot(TABLE)
})

function tableOf(all: Row[]): string {
  const count = (state: Row['state']) => all.filter((row) => row.state === state).length
  const noted = all.filter((row) => row.state === 'same' && NOTES[keyOf(row)]).length
  const lines = [
    '# Compatibility with @twilio/conversations 3.0.1',
    '',
    'Made by `test/conformance/twilio-compatibility.test.ts` from the two sets of declarations. *Same*: an app that',
    'is written for Twilio’s member compiles with ours; what behaves otherwise is noted. How to switch an app stands',
    'in [switching.md](switching.md).',
    '',
    `Of ${all.length} members ${count('same')} are the same (${noted} with a note), ${count('differs')} differ and ${count('absent')} ${count('absent') === 1 ? 'is' : 'are'} absent.`,
  ]
  for (const group of [...new Set(all.map((row) => row.group))].sort()) {
    lines.push('', `## ${group}`, '', '| member | state | note |', '|---|---|---|')
    for (const row of all.filter((one) => one.group === group)) {
      lines.push(`| \`${row.member}\` | ${row.state} | ${NOTES[keyOf(row)] ?? ''} |`)
    }
  }
  return `${lines.join('\n')}\n`
}
