/** What somebody has begun to write, by conversation: there again after a reload, and on no other device. */
import { useSyncExternalStore } from 'react'

const keyOf = (identity: string, sid: string) => `confab.draft.${identity}.${sid}`
const watching = new Set<() => void>()

export function readDraft(identity: string, sid: string): string {
  try {
    return localStorage.getItem(keyOf(identity, sid)) ?? ''
  } catch {
    return ''
  }
}

export function keepDraft(identity: string, sid: string, text: string): void {
  try {
    if (text === '') localStorage.removeItem(keyOf(identity, sid))
    else localStorage.setItem(keyOf(identity, sid), text)
  } catch {
    // no room, or none allowed: the text is still in its field
  }
  for (const changed of watching) changed()
}

function watch(changed: () => void): () => void {
  watching.add(changed)
  // another tab of the same person
  addEventListener('storage', changed)
  return () => {
    watching.delete(changed)
    removeEventListener('storage', changed)
  }
}

export const useDraft = (identity: string, sid: string): string =>
  useSyncExternalStore(watch, () => readDraft(identity, sid))
