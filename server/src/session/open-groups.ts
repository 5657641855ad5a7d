import type { OpenEntry } from '@confab/core'

/** One call of the engine answers so many resumed documents: the thousand that a person may have, and some. */
const RESUMED_PER_GROUP = 1024
/** A document that a device has nothing of comes whole (half a megabyte at most): so many per call. */
const FRESH_PER_GROUP = 16

/** Cuts what is to be opened into the parts that are answered, and so held in memory, one at a time. */
export function inGroups<Wanted extends { entry: OpenEntry }>(wanted: readonly Wanted[]): Wanted[][] {
  const groups: Wanted[][] = []
  let room = 0
  for (const one of wanted) {
    const isFresh = one.entry.commitsId === 0
    const size = isFresh ? RESUMED_PER_GROUP / FRESH_PER_GROUP : 1
    if (room < size) {
      groups.push([])
      room = RESUMED_PER_GROUP
    }
    groups.at(-1)?.push(one)
    room -= size
  }
  return groups
}
