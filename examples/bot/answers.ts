/** What the bot says. It knows what is on its disk, so it needs no network to answer. */
import type { Client, Message } from '@confab/client'

const HELP = 'I know: who, count, find <words>, help. I keep what I read, and answer with no network too.'

/** What the bot is asked by a message; null when it isn't mentioned. */
export function questionIn(body: string, name: string): string | null {
  const mention = `@${name}`.toLowerCase()
  const words = body.trim().split(/\s+/)
  const at = words.findIndex((word) => word.toLowerCase().replace(/[,:;.!?]+$/, '') === mention)
  return at < 0 ? null : words.slice(at + 1).join(' ')
}

export async function answerTo(question: string, asked: Message, client: Client): Promise<string> {
  const [verb = 'help', ...rest] = question.split(' ')
  const words = rest.join(' ')
  const { conversation } = asked
  switch (verb.toLowerCase().replace(/\?+$/, '')) {
    case 'who': {
      const people = await conversation.getParticipants()
      return `Here are ${people.map(({ identity }) => identity ?? 'somebody').join(', ')}.`
    }
    case 'count':
      return `This is message ${asked.index}, of ${await conversation.getMessagesCount()} that are here.`
    case 'find': {
      if (!words) return 'Find what? Say: find <words>'
      const { messages } = await client.searchMessages(words, { conversation })
      const found = messages.filter(
        ({ author, index }) => index < asked.index && author !== client.user.identity,
      )
      return found[0] ? `${found[0].author} said: ${found[0].body}` : `Nobody said “${words}” here.`
    }
    default:
      return HELP
  }
}
