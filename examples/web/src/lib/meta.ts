/** What this app keeps in a message's attributes: reactions, and which message it answers. */
import type { JSONValue, Message } from '@confab/client'

export interface Meta {
  reactions: { [emoji: string]: readonly string[] }
  replyTo: string | null
  /** Its text was changed: what else is changed of a message, a reaction say, changes its `dateUpdated` too. */
  isEdited: boolean
}

const isObject = (value: unknown): value is { [key: string]: JSONValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Anybody may have written anything there: what doesn't fit is left out. */
export function metaOf({ attributes }: Message): Meta {
  if (!isObject(attributes)) return { reactions: {}, replyTo: null, isEdited: false }
  const { reactions, replyTo, edited } = attributes
  const shown: Meta['reactions'] = {}
  if (isObject(reactions)) {
    for (const [emoji, people] of Object.entries(reactions).slice(0, 20)) {
      if (!Array.isArray(people) || [...emoji].length > 8) continue
      const names = people.filter((one): one is string => typeof one === 'string')
      if (names.length > 0) shown[emoji] = names
    }
  }
  return {
    reactions: shown,
    replyTo: typeof replyTo === 'string' ? replyTo : null,
    isEdited: edited === true,
  }
}

/** Adds one's reaction, or takes it back. Two people who react offline both keep theirs. */
export async function react(message: Message, emoji: string, identity: string): Promise<void> {
  const base = isObject(message.attributes) ? message.attributes : {}
  const { reactions } = metaOf(message)
  const before = reactions[emoji] ?? []
  const after = before.includes(identity) ? before.filter((one) => one !== identity) : [...before, identity]
  const { [emoji]: _, ...others } = reactions
  const next = after.length > 0 ? { ...others, [emoji]: after } : others
  await message.updateAttributes({ ...base, reactions: next as JSONValue })
}

/** Changes a message's text, and says so on it. */
export async function edit(message: Message, body: string): Promise<void> {
  await message.updateBody(body)
  const base = isObject(message.attributes) ? message.attributes : {}
  await message.updateAttributes({ ...base, edited: true })
}

/** What somebody may react with at once. */
export const REACTIONS = ['👍', '❤️', '😂', '🎉', '😮', '🙏'] as const
