/**
 * Attachments on this device: what is written here is kept until the relay has it, what was fetched stays under a
 * budget, and what no message has any more goes.
 */
import { ConfabError, type MediaRecord, uuidV7 } from '@confab/core'
import type { LocalAccess } from '../engine/reader.ts'
import { isFull } from '../storage/failure.ts'
import type { MediaStore, MediaUse } from '../storage/storage.ts'
import type { MediaCategory, SendMediaOptions } from '../types.ts'
import { download } from './download.ts'
import { hashOf } from './hash.ts'
import { incoming } from './incoming.ts'
import { look } from './picture.ts'
import { type RelayAccess, urlsOf } from './relay.ts'
import { Releases } from './releases.ts'
import { safeType } from './safe-type.ts'

/** An attachment, and the message that has it. */
export interface Attachment {
  record: MediaRecord
  conversation: string
  message: string
  index: number | null
}

/** Bytes up to which content is fetched and kept when its address is asked for; beyond, the relay streams it. */
const KEPT_BY_ITSELF = 16 * 1024 * 1024

export interface LibraryOptions {
  local: LocalAccess
  store: MediaStore
  relay: RelayAccess
  /** Bytes that are kept beside what isn't sent yet and what is pinned. */
  budget: number
}

export class MediaLibrary {
  readonly #local: LocalAccess
  readonly #store: MediaStore
  readonly #relay: RelayAccess
  readonly #releases: Releases
  /** Addresses of what is here, by hash and type. */
  readonly #urls = new Map<string, string>()
  readonly #fetching = new Map<string, Fetching>()

  constructor({ local, store, relay, budget }: LibraryOptions) {
    this.#local = local
    this.#store = store
    this.#relay = relay
    this.#releases = new Releases(local, store, budget, () => this.#forgetUrls())
  }

  /**
   * Keeps content that is to be sent; durable when it resolves. `done` is to be told of the message that was written with
   * it, null when none was.
   * @param most bytes that one may have
   * @param goOn throws when it was called off
   * @throws ConfabError 20001 for what is no attachment, or too many; 70608 when one is too large; 70501 when there is no
   * room: then nothing of it is kept
   */
  async attach(
    conversation: string,
    given: readonly (readonly [MediaCategory, FormData | SendMediaOptions])[],
    limits: { count: number; bytes: number },
    goOn: () => void,
  ): Promise<{ records: MediaRecord[]; done(message: string | null): Promise<void> }> {
    if (!hasBlobs())
      throw new ConfabError(70702, 'Attachments need a Blob whose bytes can be read, which is not here')
    const files = given.flatMap(([category, payload]) => incoming(category, payload))
    if (files.length > limits.count)
      throw new ConfabError(20001, `A message has at most ${limits.count} attachments`)
    const large = files.find(({ content }) => content.size > limits.bytes)
    if (large)
      throw new ConfabError(
        70608,
        `An attachment has at most ${limits.bytes} bytes: this has ${large.content.size}`,
      )
    const records: MediaRecord[] = []
    const done = (message: string | null) =>
      this.#releases.settle(
        records.map(({ sid }) => sid),
        message,
      )
    try {
      for (const { content, ...described } of files) {
        const hash = await hashOf(content, goOn)
        const record: MediaRecord = {
          sid: `ME${uuidV7(this.#local.now(), this.#local.random)}`,
          ...described,
          size: content.size,
          sha256: hash,
          ...(await look(content, described.contentType)),
        }
        goOn()
        await this.#keep(hash, content, this.#use(hash, { record, conversation, message: '', index: null }))
        records.push(record)
      }
      goOn()
    } catch (error) {
      await done(null)
      throw error
    }
    return { records, done }
  }

  /**
   * Where the content can be read: here, if it is on this device or small enough to be fetched now; otherwise at the
   * relay, for an hour.
   * @throws ConfabError 20404 when it can't be had
   */
  async url(attachment: Attachment, signal: AbortSignal): Promise<string> {
    const { record } = attachment
    if (!hasBlobs() || (record.size > KEPT_BY_ITSELF && !(await this.#here(attachment)))) {
      const url = (await urlsOf(this.#relay, [record.sid], signal)).get(record.sid)
      if (url === undefined) throw missing(record.sid)
      return url
    }
    const content = await this.content(attachment, () => {}, signal)
    return this.#urlOf(record.sha256 ?? record.sid, content)
  }

  /** Addresses by sid: here for what is on this device, at the relay for the rest. */
  async urls(sids: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
    const urls = new Map<string, string>()
    const uses = new Map((await this.#store.uses()).map((use) => [use.media, use]))
    for (const sid of sids) {
      const hash = uses.get(sid)?.hash
      const content = hash === undefined ? null : await this.#store.get(hash, this.#local.now())
      // what it was sent as is not known here, only that it is safe
      if (hash !== undefined && content)
        urls.set(sid, this.#urlOf(hash, content.slice(0, content.size, safeType(content.type))))
    }
    const rest = sids.filter((sid) => !urls.has(sid))
    if (rest.length > 0) for (const [sid, url] of await urlsOf(this.#relay, rest, signal)) urls.set(sid, url)
    for (const sid of sids) if (!urls.has(sid)) throw missing(sid)
    return urls
  }

  /**
   * The content, from this device or the relay; then it is kept.
   * @param progress is told how many bytes are here
   * @throws ConfabError 20404 when it can't be had, 70607 when what the relay has isn't what its hash says
   */
  async content(
    attachment: Attachment,
    progress: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Blob> {
    const content = (await this.#here(attachment)) ?? (await this.#fetch(attachment, progress, signal))
    return content.slice(0, content.size, safeType(attachment.record.contentType))
  }

  /** Whether the content is on this device. */
  async isHere(attachment: Attachment): Promise<boolean> {
    return (await this.#here(attachment)) !== null
  }

  operationsChanged(): void {
    this.#releases.operationsChanged()
  }

  /** Looks whether the messages of a conversation still have what is kept for them. */
  changed(conversation: string): void {
    this.#releases.changed(conversation)
  }

  /** Removes what is kept for a conversation, but for what isn't sent yet. */
  forget(conversation: string): Promise<void> {
    return this.#releases.forget(conversation)
  }

  async close(): Promise<void> {
    for (const { stop } of this.#fetching.values()) stop.abort(new ConfabError(70701))
    await Promise.allSettled([...this.#fetching.values()].map(({ fetched }) => fetched))
    await this.#releases.close()
    for (const url of this.#urls.values()) URL.revokeObjectURL(url)
    this.#urls.clear()
  }

  async #here(attachment: Attachment): Promise<Blob | null> {
    const { record } = attachment
    const hash = record.sha256 ?? (await this.#hashOf(record.sid))
    const content = hash === undefined ? null : await this.#store.get(hash, this.#local.now())
    if (content && attachment.index !== null) await this.#releases.note(this.#use(hash as string, attachment))
    return content
  }

  async #hashOf(sid: string): Promise<string | undefined> {
    return (await this.#store.uses()).find(({ media }) => media === sid)?.hash
  }

  /** Whoever wants the same shares it; it ends when nobody wants it any more. */
  async #fetch(
    attachment: Attachment,
    progress: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Blob> {
    const { sid } = attachment.record
    let fetching = this.#fetching.get(sid)
    if (!fetching) {
      fetching = this.#startFetching(attachment)
      this.#fetching.set(sid, fetching)
    }
    const { listeners, stop, fetched } = fetching
    const leave = () => {
      listeners.delete(progress)
      if (listeners.size === 0) stop.abort(signal.reason)
    }
    listeners.add(progress)
    signal.addEventListener('abort', leave)
    try {
      return await fetched
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  #startFetching(attachment: Attachment): Fetching {
    const { record } = attachment
    const stop = new AbortController()
    const listeners = new Set<(bytes: number) => void>()
    const tell = (bytes: number) => {
      for (const listener of listeners) listener(bytes)
    }
    const fetched = download(this.#relay, record, tell, stop.signal)
      .then(async ({ content, hash }) => {
        try {
          await this.#keep(hash, content, this.#use(hash, attachment))
        } catch (error) {
          this.#local.warn('An attachment could not be kept', error)
        }
        return content
      })
      .finally(() => this.#fetching.delete(record.sid))
    return { listeners, stop, fetched }
  }

  #use(hash: string, { record, conversation, message, index }: Attachment): MediaUse {
    return { media: record.sid, hash, conversation, message, index, since: this.#local.now() }
  }

  async #keep(hash: string, content: Blob, use: MediaUse): Promise<void> {
    const put = () => this.#store.put(hash, content, [use], this.#local.now())
    try {
      await put()
    } catch (error) {
      if (!isFull(error)) throw error
      const freed = await Promise.all([this.#releases.free(content.size), this.#local.free()])
      if (!freed.includes(true)) throw error
      await put()
    }
    this.#releases.kept(use)
  }

  #urlOf(hash: string, content: Blob): string {
    const key = `${hash} ${content.type}`
    let url = this.#urls.get(key)
    if (url === undefined) {
      url = URL.createObjectURL(content)
      this.#urls.set(key, url)
    }
    return url
  }

  /** Addresses of what is gone end. */
  async #forgetUrls(): Promise<void> {
    if (this.#urls.size === 0) return
    const here = new Set((await this.#store.contents()).map(({ hash }) => hash))
    for (const [key, url] of this.#urls) {
      if (here.has(key.split(' ')[0] as string)) continue
      URL.revokeObjectURL(url)
      this.#urls.delete(key)
    }
  }
}

interface Fetching {
  readonly listeners: Set<(bytes: number) => void>
  readonly stop: AbortController
  readonly fetched: Promise<Blob>
}

/** Whether there are Blobs whose bytes can be read: not in React Native. */
const hasBlobs = (): boolean => typeof Blob !== 'undefined' && !!Blob.prototype.arrayBuffer

const missing = (sid: string) => new ConfabError(20404, `There is no content of ${sid} for you`)
