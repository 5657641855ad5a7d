/** Long conversations as the relay writes them, taken in by a device whose relay says just that. */
import {
  CHANNEL_USER,
  compactUpdates,
  conversationSid,
  type MessageRecord,
  PAGES_PER_BOOK,
  type PageEntry,
  participantSid,
  UpdateWriter,
  userDocument,
} from '@confab/core'
import type { TransportFactory } from '../../../packages/client/src/transport/transport.ts'
import { tokenFor as testToken } from '../../../packages/client/test/engine/harness.ts'

export const READER = 'reader'
export const token = testToken(READER)
/** The sid of one of these conversations. */
export const sidOf = (number: number): string =>
  conversationSid('friend', number.toString(16).padStart(32, '0'))
const BEGAN = 1_700_000_000_000

/** What messages say, as long as what people write to each other. */
const plainBody = (index: number) => `Message number ${index}: as long as what people write to each other`

/**
 * One update with the whole document, compacted as the relay sends it.
 * @param sealed pages in which the first messages are; what is behind them is in the document
 */
export function longDocument(
  sid: string,
  messages: number,
  { bodyOf = plainBody, sealed = [] }: { bodyOf?: (index: number) => string; sealed?: PageEntry[] } = {},
): Uint8Array {
  const writer = new UpdateWriter()
  const set = (root: string, client: number, entries: [key: string, value: unknown][]) => {
    for (const [clock, [key, value]] of entries.entries())
      writer.setKey(root, key, [client, clock], null, value)
  }
  set('conversation', 11, [
    ['sid', sid],
    ['friendlyName', 'A long conversation'],
    ['createdBy', 'friend'],
    ['dateCreated', BEGAN],
  ])
  set(
    'participants',
    12,
    [READER, 'friend'].map((identity) => {
      const member = participantSid(sid, { identity })
      return [member, { sid: member, type: 'chat', identity, roleSid: CHANNEL_USER, dateCreated: BEGAN }]
    }),
  )
  const books: [string, PageEntry[]][] = []
  for (let first = 0; first < sealed.length; first += PAGES_PER_BOOK)
    books.push([String(books.length), sealed.slice(first, first + PAGES_PER_BOOK)])
  set('history', 15, books)
  const first = (sealed.at(-1)?.[0] ?? -1) + 1
  for (let index = first; index < messages; index++) {
    const clock = index - first
    writer.append(
      'messages',
      [13, clock],
      clock === 0 ? null : [13, clock - 1],
      recordOf(sid, index, bodyOf(index)),
    )
  }
  writer.appendDeleted('commits', [14, 0], null, messages + 1)
  writer.delete(14, 0, messages + 1)
  return compactUpdates([writer.finish()])
}

export const recordOf = (sid: string, index: number, body: string): MessageRecord => ({
  sid: `IM${index.toString(16).padStart(32, '0')}`,
  index,
  author: 'friend',
  participantSid: participantSid(sid, { identity: 'friend' }),
  body,
  dateCreated: BEGAN + index,
})

/** A relay that has these documents, by sid, and says so to whoever asks. */
export const relayOf =
  (documents: ReadonlyMap<string, Uint8Array>, pages?: ReadonlyMap<string, Uint8Array>): TransportFactory =>
  () => {
    let events: Parameters<ReturnType<TransportFactory>['start']>[0] | null = null
    return {
      start(given) {
        events = given
        setImmediate(() =>
          given.connected({
            identity: READER,
            accountSid: 'AC1',
            serviceSid: 'IS1',
            now: Date.now(),
            expiresAt: Date.now() + 3_600_000,
            limits: null,
          }),
        )
      },
      async stop() {
        events = null
      },
      page: async (_, hash) => pages?.get(hash) ?? null,
      open(requests) {
        for (const { document } of requests) {
          setImmediate(() => {
            const update =
              document === userDocument(READER) ? listing(documents.keys()) : documents.get(document)
            if (update)
              events?.received(document, { replace: true, point: null, updates: [update], outcomes: [] })
          })
        }
      },
      wake() {},
      setToken() {},
      close() {},
      update() {},
      awareness() {},
    }
  }

function listing(sids: Iterable<string>): Uint8Array {
  const writer = new UpdateWriter()
  for (const [clock, sid] of [...sids].entries()) {
    writer.setKey('conversations', sid, [21, clock], null, { sid, status: 'joined', since: BEGAN })
  }
  writer.appendDeleted('commits', [22, 0], null)
  writer.delete(22, 0, 1)
  return writer.finish()
}
