/** What somebody has begun to write, by conversation: there again after a reload, and on no other device. */
const keyOf = (identity: string, sid: string) => `confab.draft.${identity}.${sid}`

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
}
