/** What the device holds, in figures: how much there is of it, and why something isn't sent. Nothing a person wrote. */
import type { LocalAccess } from '../engine/reader.ts'
import { FILES } from '../storage/storage.ts'
import type { ConversationDiagnostics, Diagnostics, StorageFigures } from '../types.ts'

/** What the platform says of the room that an origin has; null for what it doesn't say. */
async function room(local: LocalAccess): Promise<Pick<StorageFigures, 'used' | 'quota' | 'persisted'>> {
  const known = await local.usage()
  const storage = typeof navigator === 'undefined' ? undefined : navigator.storage
  if (known.used !== null || !storage?.estimate)
    return { ...known, persisted: known.used === null ? null : true }
  const { usage = null, quota = null } = await storage.estimate()
  return { used: usage, quota, persisted: (await storage.persisted?.()) ?? null }
}

export async function storageFigures(local: LocalAccess): Promise<StorageFigures> {
  const pages = await local.pages.list()
  const attachments = await local.media()
  const sizes = new Map((await attachments.contents()).map(({ hash, size }) => [hash, size]))
  const media = new Map<string, Map<string, number>>()
  for (const { conversation, hash } of await attachments.uses())
    media.set(conversation, (media.get(conversation) ?? new Map()).set(hash, sizes.get(hash) ?? 0))
  const sumOf = (all: Iterable<number>) => [...all].reduce((sum, bytes) => sum + bytes, 0)
  const conversations = new Map<string, { pages: number; bytes: number }>()
  let index = 0
  for (const { document, size } of pages) {
    if (document === FILES) {
      index += size
      continue
    }
    const sum = conversations.get(document) ?? { pages: 0, bytes: 0 }
    conversations.set(document, { pages: sum.pages + 1, bytes: sum.bytes + size })
  }
  return {
    ...(await room(local)),
    index,
    history: sumOf([...conversations.values()].map(({ bytes }) => bytes)),
    media: sumOf(sizes.values()),
    conversations: local.conversations().map(({ sid }) => {
      const { pages, bytes } = conversations.get(sid) ?? { pages: 0, bytes: 0 }
      return { sid, pages, bytes, media: sumOf(media.get(sid)?.values() ?? []) }
    }),
  }
}

export async function diagnose(local: LocalAccess, relay: string, version: string): Promise<Diagnostics> {
  const { connection, journal } = local
  const now = local.now()
  const last = connection.log.at(-1)
  const failure = connection.log.findLast(({ closeCode }) => closeCode !== undefined)
  const held = journal.held()
  const date = (time: number | null | undefined) =>
    time == null || !Number.isFinite(time) ? null : new Date(time)
  return {
    version,
    takenAt: new Date(now),
    relay: withoutSecrets(relay),
    connection: {
      state: connection.state,
      since: date(last?.at),
      lastFailure: failure
        ? { at: new Date(failure.at), closeCode: failure.closeCode ?? 0, reason: failure.reason ?? '' }
        : null,
      nextAttempt: connection.state === 'disconnected' ? date(connection.retryAt) : null,
      clockSkew: connection.skew,
      history: connection.log.map(({ at, ...entry }) => ({ at: new Date(at), ...entry })),
    },
    token: {
      expiresAt: date(connection.tokenExpiresAt),
      expired: (connection.tokenExpiresAt ?? now + 1) <= now,
    },
    pending: journal.allPending().length,
    held: held.length,
    conversations: local.conversations().map((view): ConversationDiagnostics => {
      const { sid } = view
      const pending = journal.pending(sid)
      const refused = held.filter(({ document }) => document === sid).at(-1)
      const nack = local.conversation(sid)?.lastNack
      return {
        sid,
        status: view.status,
        channel: local.conversation(sid)?.channel ?? 'closed',
        messages: view.messageCount,
        pending: pending.map(({ id, operation }) => ({
          id,
          type: operation.type,
          since: new Date(operation.dateWritten),
        })),
        lastRefusal: refused?.error
          ? {
              at: date(refused.heldAt),
              type: refused.operation.type,
              code: refused.error.code,
              message: refused.error.message,
            }
          : null,
        lastError: nack
          ? { at: new Date(nack.at), code: nack.code, nextAttempt: new Date(nack.at + nack.retryAfter) }
          : null,
      }
    }),
    storage: await storageFigures(local),
  }
}

/** A URL without what may be a secret in it. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/, '')
}
