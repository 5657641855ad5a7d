/**
 * One `profile/<identity>` on this device. What it says is kept beside its resume point, so that it is readable with
 * no network; its Yjs document is small, read whole when the relay is met, and not stored.
 */
import { type DocumentName, type ProfileRecord, profileDocument } from '@confab/core'
import type { DocumentNews, OpenRequest } from '../transport/transport.ts'
import { readAwareness } from './awareness.ts'
import type { ConversationHost } from './host.ts'
import { randomUint32 } from './platform.ts'
import type { RootMap } from './root-types.ts'
import { NOTHING, RELAY, YDocument } from './y-document.ts'

class ProfileDocument extends YDocument {
  readonly profile: RootMap<unknown>

  constructor(epoch: number, clientId: number) {
    super(epoch, clientId)
    this.profile = this.doc.getMap('profile')
  }
}

export class LocalProfile {
  readonly name: DocumentName
  /** As the relay last told it; null when nothing is known. */
  record: ProfileRecord | null
  /** Whether the person is connected; null when the relay doesn't say. */
  online: boolean | null = null
  /** The relay has told what there is, be it nothing. */
  isRead = false
  readonly #host: ConversationHost
  readonly #changed: () => void
  #document: ProfileDocument
  #isOpen = false
  #answered: (() => void)[] = []

  constructor(host: ConversationHost, identity: string, record: ProfileRecord | null, changed: () => void) {
    this.name = profileDocument(identity)
    this.record = record
    this.#host = host
    this.#changed = changed
    this.#document = this.#make(0)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** What to ask of a relay. */
  connected(): OpenRequest {
    this.#isOpen = true
    return { document: this.name, point: this.#document.point, pending: false }
  }

  /** The connection, or the wish to follow it, is gone. */
  disconnected(): void {
    this.#isOpen = false
    this.#become(null)
    this.#answer()
  }

  /** Resolves once the relay has told all that there is to tell at first, or can't. */
  answered(): Promise<void> {
    return new Promise((resolve) => this.#answered.push(resolve))
  }

  /** Those who wait, wait no longer. */
  giveUp(): void {
    this.#answer()
  }

  current(): void {
    this.#read()
  }

  received({ replace, point, updates }: DocumentNews): void {
    if (replace) this.#document = this.#make(point?.epoch ?? this.#document.epoch)
    else if (this.#document.point.commitsId === 0 && point) this.#document.epoch = point.epoch
    this.#document.apply(updates, RELAY)
    this.#read()
  }

  absent(): void {
    this.#answer()
  }

  /** Only the relay speaks here: it says whether the person is connected, once at the beginning and at each change. */
  awareness(update: Uint8Array): void {
    for (const { state } of readAwareness(update)) {
      if (typeof state?.online === 'boolean') this.#become(state.online)
      // the relay tells nobody any more
      else if (state === null) this.#become(null)
    }
    this.#answer()
  }

  // nothing is uploaded here
  outcomes(): void {}
  requested(): void {}
  nack(): void {}

  #read(): void {
    this.isRead = true
    const values = this.#document.profile.toJSON()
    this.record = 'sid' in values ? (values as unknown as ProfileRecord) : null
    const { record } = this
    this.#host.journal.saveSummary(this.name, () =>
      record ? { document: this.name, ...NOTHING, data: record } : null,
    )
    this.#changed()
  }

  #become(online: boolean | null): void {
    if (this.online === online) return
    this.online = online
    this.#changed()
  }

  #answer(): void {
    for (const resolve of this.#answered.splice(0)) resolve()
  }

  #make(epoch: number): ProfileDocument {
    return new ProfileDocument(epoch, randomUint32(this.#host.platform))
  }
}
