/**
 * Taking in what a device exported: people's profiles where nothing is said of them yet, the conversation by the
 * engine's commits, and the content of attachments whose messages are here.
 */
import { randomBytes } from 'node:crypto'
import {
  ConfabError,
  diffAttributes,
  type Json,
  type MediaRecord,
  type MessageRecord,
  type Operation,
  profileDocument,
  userDocument,
  uuidV7,
} from '@confab/core'
import type { Imported } from '../commit/importing.ts'
import type { Engine, TakingIn } from '../engine.ts'
import type { Media } from '../media/media.ts'
import type { Store } from '../store/store.ts'
import type { Exported, ExportedProfile } from './exported.ts'

export interface ImportingParts {
  store: Store
  engine: Pick<Engine, 'submit'> & TakingIn
  /** Null: attachments aren't taken here. */
  media: Media | null
  now(): number
}

export interface Attached {
  messageSid: string
  mediaSid: string
}

export interface Taken extends Imported {
  /** Attachments of this piece's messages whose content isn't here. */
  missing: Attached[]
}

/** Content as it comes. */
export interface Content {
  pieces: AsyncIterable<Uint8Array>
  /** Bytes, if that is said ahead. */
  length: number | null
}

/** @throws ConfabError 70105 when another conversation has its sid */
export async function takePiece(
  parts: ImportingParts,
  serviceSid: string,
  exported: Exported,
): Promise<Taken> {
  const refused: string[] = []
  for (const profile of exported.profiles) {
    const reason = await takeProfile(parts, serviceSid, profile)
    if (reason !== null) refused.push(`the profile of ${profile.identity} stays out: ${reason}`)
  }
  const { warnings, ...taken } = await parts.engine.takeIn(serviceSid, exported)
  const missing: Attached[] = []
  for (const message of exported.messages) {
    for (const { sid } of message.media ?? []) {
      const stored = await parts.store.media.find(serviceSid, sid)
      if (stored?.messageSid !== message.sid) missing.push({ messageSid: message.sid, mediaSid: sid })
    }
  }
  return { ...taken, warnings: [...refused, ...warnings], missing }
}

/** Null when it is here: what somebody has said since is not undone. */
async function takeProfile(
  { store, engine, now }: ImportingParts,
  serviceSid: string,
  { identity, friendlyName, attributes }: ExportedProfile,
): Promise<string | null> {
  if (await store.load(serviceSid, profileDocument(identity))) return null
  const operation = {
    type: 'user.update',
    id: uuidV7(now(), (bytes) => randomBytes(bytes)),
    dateWritten: now(),
    identity,
    ...(friendlyName !== undefined && { friendlyName }),
    ...(attributes !== undefined && { attributes: diffAttributes({}, attributes as Json) }),
  } as Operation
  const outcome = await engine.submit(serviceSid, userDocument(identity), operation, 'import')
  return outcome.verdict === 'accepted' ? null : outcome.message
}

/**
 * Takes the content of an attachment that a message here has. False: it is here.
 * @throws ConfabError 20404 when no message here has it, 70105 when another one has it, 70607 when it is other content,
 * and what `Media.bring` does
 */
export async function takeAttachment(
  { store, engine, media }: ImportingParts,
  serviceSid: string,
  conversationSid: string,
  { messageSid, mediaSid }: Attached,
  { pieces, length }: Content,
): Promise<boolean> {
  const record = await recordOf(store, serviceSid, conversationSid, { messageSid, mediaSid })
  if (!record || !media) throw new ConfabError(20404)
  const before = await store.media.find(serviceSid, mediaSid)
  if (before?.messageSid === messageSid) return false
  if (before && before.messageSid !== null) throw new ConfabError(70105)
  const { category, filename = null, contentType, sha256 } = record
  const declared = { serviceSid, sid: mediaSid, conversationSid, category, filename, contentType }
  await media.bring({ ...declared, ...(sha256 !== undefined && { hash: sha256 }) }, pieces, length)
  return engine.attach(serviceSid, conversationSid, { sid: mediaSid, messageSid })
}

async function recordOf(
  store: Store,
  serviceSid: string,
  conversationSid: string,
  { messageSid, mediaSid }: Attached,
): Promise<MediaRecord | undefined> {
  const key = await store.keyOf(serviceSid, conversationSid)
  const [found] = key === null ? [] : await store.messages(key, [messageSid])
  const message: MessageRecord | undefined = found?.record
  return message?.media?.find(({ sid }) => sid === mediaSid)
}
