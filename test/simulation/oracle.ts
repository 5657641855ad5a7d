/** What must be true at the end of every simulated world. Each check says what it found, in words. */

import { type MessageRecord, messageSidOf, participantSid } from '@confab/core'
import type { JournalEntry } from '../../packages/client/src/storage/storage.ts'
import type { Device } from './device.ts'
import type { World } from './world.ts'

const line = ({ record }: { record: MessageRecord }): string =>
  `${record.index} ${record.sid} ${record.author} ${record.body} ${JSON.stringify(record.attributes ?? {})}`

import { SERVICE } from './link.ts'

/** The engine's answer, with time passing while it looks. */
async function waitFor<T>(world: World, promise: Promise<T>): Promise<T> {
  let done = false
  const watched = promise.finally(() => {
    done = true
  })
  watched.catch(() => {})
  while (!done && (await world.time.step())) {
    // storage takes its time
  }
  return watched
}

export async function judge(world: World): Promise<string[]> {
  const wrong = [...world.failures]
  const truth = new Map<string, string[]>()
  for (const [sid, members] of world.commits.members) {
    if (!sid.startsWith('CH')) continue
    const loaded = await world.store.load(SERVICE, sid)
    if (!loaded) continue
    const messages = await world.store.messageRange(loaded.head.key, 0, Number.MAX_SAFE_INTEGER)
    truth.set(sid, messages.map(line))
    const given = loaded.head.highestIndex + 1
    const { posts, unseen } = acceptedPosts(world, sid)
    if (given > posts || given < posts - unseen)
      wrong.push(`${sid} has given ${given} indices to ${posts} posts, ${unseen} of them unseen`)
    for (const device of world.devices) {
      for (const tab of device.tabs) {
        const view = tab.engine.conversation(sid)
        const shown = view?.status === 'joined'
        if (shown && (await isForgotten(world, device.identity, sid))) continue
        const isParticipant = loaded.mapItems.some(
          ({ root, value }) =>
            root === 'participants' &&
            (value as { identity?: string } | undefined)?.identity === device.identity,
        )
        if (shown !== isParticipant) {
          wrong.push(
            `${device.name} ${shown ? 'shows' : "doesn't show"} ${sid}, and is ${isParticipant ? 'a' : 'no'} participant (members: ${[...members]})`,
          )
          continue
        }
        if (!shown) continue
        const { sealedTo } = loaded.head.history
        wrong.push(...(await compare(world, device, tab, sid, truth.get(sid) ?? [], sealedTo)))
        const people = (await waitFor(world, tab.engine.participants(sid)))
          .map(({ record }) => record.sid)
          .sort()
        const expected = loaded.mapItems
          .filter(({ root, value }) => root === 'participants' && value !== undefined)
          .map(({ key }) => key)
          .sort()
        if (String(people) !== String(expected))
          wrong.push(`${device.name} has participants ${people} of ${sid}, not ${expected}`)
      }
    }
  }
  for (const device of world.devices) wrong.push(...nothingLost(world, device))
  if (world.membersRestore) wrong.push(...allBrought(world, truth))
  return wrong
}

/** What a device showed when the relay was restored is there again, unless somebody removed it, or it had lost it. */
function allBrought(world: World, truth: ReadonlyMap<string, string[]>): string[] {
  const asked = [...world.devices, ...world.gone].flatMap(({ disk }) => disk.everAppended)
  return world.shown.flatMap(({ device, conversation, record, lostRows }) => {
    const { identity, name, disk } = device
    const self = participantSid(conversation, { identity })
    const isOut =
      !world.commits.members.get(conversation)?.has(identity) ||
      asked.some(
        ({ document, operation }) =>
          document === conversation &&
          ((operation.type === 'participant.remove' && operation.sid === self) ||
            operation.type === 'conversation.leave'),
      )
    const isRemoved = asked.some(
      ({ operation }) => operation.type === 'message.remove' && operation.sid === record.sid,
    )
    const isHeld = disk.entries.some(
      ({ state, operation }) =>
        state === 'held' &&
        (messageSidOf(operation.id) === record.sid || ('sid' in operation && operation.sid === record.sid)),
    )
    if (isOut || isRemoved || isHeld || disk.lostRows > lostRows) return []
    const isThere = truth.get(conversation)?.some((one) => one.includes(` ${record.sid} `))
    return isThere ? [] : [`${name} had ${record.sid} of ${conversation}, and nobody brought it`]
  })
}

/** Nobody has let them in since the relay was restored, or removed them: what their devices have stays. */
async function isForgotten(world: World, identity: string, sid: string): Promise<boolean> {
  if (world.restores === 0 || world.commits.members.get(sid)?.has(identity)) return false
  const entry = (await world.listOf(identity)).get(sid)
  return entry === undefined || entry === world.listed.get(identity)?.get(sid)
}

async function compare(
  world: World,
  device: Device,
  tab: Device['tabs'][number],
  sid: string,
  expected: string[],
  sealedTo: number,
): Promise<string[]> {
  const wrong: string[] = []
  const seen: string[] = []
  let anchor = 0
  while (true) {
    const page = await waitFor(world, tab.engine.messages(sid, { count: 100, anchor, direction: 'forward' }))
    if (page.absent)
      wrong.push(
        `${device.name} can't read ${page.absent.from}–${page.absent.to} of ${sid} (${tab.engine.connectionState})`,
      )
    for (const { record, status } of page.items) {
      seen.push(line({ record }))
      if (status !== 'accepted') wrong.push(`${device.name} still shows ${record.sid} as ${status}`)
    }
    const last = page.items.at(-1)
    if (!page.hasNewer || !last) break
    anchor = last.record.index + 1
  }
  if (seen.join('\n') !== expected.join('\n')) {
    wrong.push(`${device.name} sees ${sid} otherwise than the relay has it:${difference(seen, expected)}`)
  }
  // what was accepted and sealed while this device was away is told by nobody: apps read it as they scroll
  const listened = new Set(
    [...(tab.screen.conversations.get(sid)?.messages.values() ?? [])].map((view) => line(view)),
  )
  const told = expected.filter((one) => Number.parseInt(one, 10) >= sealedTo || listened.has(one))
  // known: another tab may have replaced the page of a message that was edited before this one compared the two
  const isLeftToReading = ({ record: { index, sid } }: { record: MessageRecord }) =>
    device.tabs.length > 1 && index < sealedTo && expected.some((one) => one.startsWith(`${index} ${sid} `))
  const screen = [...(tab.screen.conversations.get(sid)?.messages.values() ?? [])]
    .sort((a, b) => a.record.index - b.record.index)
    .filter((view) => expected.includes(line(view)) || !isLeftToReading(view))
    .map(line)
  if (screen.join('\n') !== told.join('\n')) {
    wrong.push(
      `${device.name}'s app, listening, shows of ${sid} otherwise than the relay has it:${difference(screen, told)}`,
    )
  }
  return wrong.concat(tab.screen.mistakes.splice(0).map((mistake) => `${device.name}: ${mistake}`))
}

/**
 * How many posts were accepted in a conversation: each has an index of its own, and no index is left over. Of those that
 * nobody ever saw, some were removed in the commit that brought them, and some before they came.
 */
function acceptedPosts(world: World, sid: string): { posts: number; unseen: number } {
  const accepted = new Set<string>()
  for (const { disk } of [...world.devices, ...world.gone]) {
    for (const { id, document, operation } of disk.everAppended) {
      if (document !== sid || operation.type !== 'message.post') continue
      if (world.commits.outcomes.get(id)?.verdict === 'accepted') accepted.add(id)
    }
  }
  const seen = world.commits.indices.get(sid)
  const unseen = [...accepted].filter((id) => !seen?.has(messageSidOf(id))).length
  return { posts: accepted.size, unseen }
}

function difference(shown: readonly string[], expected: readonly string[]): string {
  const lines = [
    ...shown.filter((one) => !expected.includes(one)).map((one) => `shown:    ${one}`),
    ...expected.filter((one) => !shown.includes(one)).map((one) => `expected: ${one}`),
  ]
  return ['', ...lines.slice(0, 8), ...(lines.length > 8 ? [`(${lines.length - 8} more)`] : [])].join('\n  ')
}

/** Nothing that a person wrote, and without a purpose once they are gone from the conversation. */
const isMoot = ({ document, operation }: JournalEntry, identity: string): boolean =>
  ['conversation.leave', 'read.advance', 'read.set'].includes(operation.type) ||
  (operation.type === 'participant.remove' && operation.sid === participantSid(document, { identity }))

/** Of no conversation that a restored relay knows to be this person's, and still on the disk. */
function isShutOut(world: World, device: Device, { id, document }: JournalEntry): boolean {
  const isThere = device.disk.entries.some((entry) => entry.id === id && entry.state !== 'held')
  return world.restores > 0 && isThere && !world.commits.members.get(document)?.has(device.identity)
}

/** Everything that became durable on a device is accepted, or held there. Nothing is still undecided. */
function nothingLost(world: World, device: Device): string[] {
  const wrong: string[] = []
  for (const entry of device.disk.everAppended) {
    const outcome = world.commits.outcomes.get(entry.id)
    const kept = device.disk.entries.find(({ id, state }) => id === entry.id && state !== 'kept')
    if (outcome?.verdict === 'accepted') {
      // somebody who was removed can't be told any more: what they wrote is kept rather than lost
      if (kept && kept.error?.code !== 70401 && !isShutOut(world, device, entry))
        wrong.push(
          `${device.name} still keeps ${entry.id} (${entry.operation.type}, ${kept.state}), which was accepted`,
        )
    } else if (isShutOut(world, device, entry)) {
      // their own list says that they were removed, or nobody has added them again: it stays where it is
    } else if (kept?.state === 'pending') {
      wrong.push(
        `${device.name} still waits for ${entry.id} (${entry.operation.type}) in ${entry.document}; outcome: ${outcome?.verdict ?? 'none'}`,
      )
    } else if (!kept && !device.disk.withdrawn(entry.id) && !isMoot(entry, device.identity)) {
      wrong.push(
        `${device.name} lost ${entry.id} (${entry.operation.type}); outcome: ${outcome?.verdict ?? 'none'}`,
      )
    }
  }
  return wrong
}
