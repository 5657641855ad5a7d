/** How what a post costs grows: with the conversation's length, its members, and how many conversations there are. */
import { plot } from '../report.ts'
import { medianOf, type Row, type Scenario } from '../scenario.ts'
import { group, PAIRS } from './grounds.ts'
import type { Load } from './load.ts'
import { overSockets } from './over-sockets.ts'
import { ServerProcess, withFolder, withServer } from './process.ts'
import { CONFAB } from './targets.ts'

export const name = 'growth'
export const title = 'What a post costs as things grow'
export const how =
  'Confab alone, at saturation, CPU of the relay (user and system) a message. Length: a conversation of two, of whom one posts, whose messages are in the store before (written there directly, sealed and compacted as they would be). Members: one conversation, of whom one posts. Conversations: two members each, of whom both post, all of them connected.'

const LENGTHS = [100, 1000, 10_000, 100_000, 1_000_000]
const MEMBERS = [2, 10, 50, 200, 1000]
const OPEN = [1, 10, 100, 1000, 5000]

const ofLength = (messages: number): [Load, number] => [{ ...group(2, 6000), name: 'length' }, messages]
const ofMembers = (members: number): [Load, number] => [
  group(members, Math.max(1000, Math.min(6000, Math.round(400_000 / members)))),
  0,
]
const ofConversations = (conversations: number): [Load, number] => [
  { ...PAIRS, conversations, messages: 12_000, together: Math.min(1000, 2 * conversations + 62) },
  0,
]

async function cost(load: Load, fill: number): Promise<number> {
  return withFolder(async (folder) => {
    const task = { folder, make: load }
    if (fill === 0) {
      return withServer(
        CONFAB,
        task,
        async (server) => (await overSockets(CONFAB, server, load)).cpu / load.messages,
      )
    }
    const maker = await ServerProcess.start(CONFAB, { ...task, fill })
    const { documents } = maker
    await maker.end()
    return withServer(
      CONFAB,
      { folder, documents },
      async (server) => (await overSockets(CONFAB, server, load)).cpu / load.messages,
    )
  })
}

async function rows(
  runs: number,
  what: string,
  sizes: readonly number[],
  at: (size: number) => [Load, number],
): Promise<Row[]> {
  const found: Row[] = []
  for (const size of sizes) {
    const values: number[] = []
    // the largest takes minutes to build, and says the same every time
    const count = size === 1_000_000 ? 1 : runs
    for (let i = 0; i < count; i++) values.push(await cost(...at(size)))
    found.push({ what: `${size.toLocaleString('en')} ${what}`, unit: 'µs', runs: values })
  }
  return found
}

export const run: Scenario['run'] = async (runs) => [
  ...(await rows(runs, 'messages before', LENGTHS, ofLength)),
  ...(await rows(runs, 'members', MEMBERS, ofMembers)),
  ...(await rows(runs, 'conversations', OPEN, ofConversations)),
]

export const after = (all: readonly Row[]): string => {
  const figure = (from: number, sizes: readonly number[], title: string, x: string) =>
    plot(
      title,
      { title: x, labels: sizes },
      {
        title: 'µs a message',
        values: all.slice(from, from + sizes.length).map(({ runs }) => medianOf(runs)),
      },
    )
  return [
    figure(0, LENGTHS, 'By length', 'messages before'),
    'Length: nothing that a post does depends on it. The relay holds no messages in memory; its rows go to the end of each table and of the index of that conversation, whose height grows by a page for each factor of about a hundred. What is added from 2,000 messages on is sealing, once for each message.',
    figure(LENGTHS.length, MEMBERS, 'By members', 'members'),
    'Members: one write to a socket for each member and commit. Up to 16 a commit goes out at once; beyond, commits of one conversation keep a distance that grows with its readers (to 50 ms), so that a commit holds more posts and the writes are shared between them. From there on the cost grows more slowly than the members do. At 1,000 what is left is copying: each member takes every byte.',
    figure(LENGTHS.length + MEMBERS.length, OPEN, 'By conversations', 'open conversations'),
    'Conversations: one alone has all posts of a turn in one commit; the more there are, the fewer posts share a commit, until each has its own (about 1,000, as many as posts are on their way). Beyond that only the caches of the processor notice how many are open.',
  ].join('\n\n')
}
