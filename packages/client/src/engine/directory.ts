/** `user/<identity>` on this device: which conversations the relay says this identity has, and its refusals. */
import type { DirectoryRecord, DocumentName, Outcome, RefusalRecord } from '@confab/core'
import type * as Y from 'yjs'
import type { StoredSummary } from '../storage/storage.ts'
import type { OpenRequest } from '../transport/transport.ts'
import type { RelayNews } from './conversation.ts'
import type { ConversationHost } from './host.ts'
import { KeptDocument } from './kept-document.ts'
import { randomUint32 } from './platform.ts'
import { PEER, RELAY, YDocument } from './y-document.ts'

class UserDocument extends YDocument {
  readonly conversations: Y.Map<DirectoryRecord>
  readonly refusals: Y.Array<RefusalRecord>

  constructor(epoch: number, clientId: number) {
    super(epoch, clientId)
    this.conversations = this.doc.getMap('conversations')
    this.refusals = this.doc.getArray('refusals')
    this.doc.getMap('settings')
  }
}

export interface DirectoryListener {
  changed(records: DirectoryRecord[]): void
  /** A refusal that the relay keeps; its outcome may have been lost on the way. */
  refused(document: DocumentName, outcome: Outcome): void
}

/** Always open: it is small, and everything else is found by it. */
export class Directory {
  readonly name: DocumentName
  readonly #host: ConversationHost
  readonly #kept: KeptDocument
  readonly #listener: DirectoryListener
  #document: UserDocument

  constructor(host: ConversationHost, name: DocumentName, listener: DirectoryListener) {
    this.name = name
    this.#host = host
    this.#listener = listener
    this.#kept = new KeptDocument(host.documents, name, (message, error) => host.warn(message, { error }))
    this.#document = this.#make(0)
  }

  /** @param summary under which epoch it is kept; without one there is nothing */
  async load(summary: StoredSummary | undefined): Promise<void> {
    if (summary) this.#document = await this.#kept.load(summary.epoch, (epoch) => this.#make(epoch))
  }

  conversations(): DirectoryRecord[] {
    return [...this.#document.conversations.values()]
  }

  byUniqueName(uniqueName: string): DirectoryRecord | undefined {
    return this.conversations().find((record) => record.uniqueName === uniqueName)
  }

  connected(): OpenRequest {
    return { document: this.name, point: this.#document.point, pending: false }
  }

  received(news: RelayNews): void {
    const old = this.#document
    if (news.replace) {
      this.#document = this.#make(news.point?.epoch ?? old.epoch)
      this.#document.apply(news.updates, RELAY)
      this.#kept.replace(this.#document, old.epoch, () => this.#host.journal.flush())
    } else {
      if (old.point.commitsId === 0 && news.point) this.#rekey(news.point.epoch)
      this.#document.apply(news.updates, RELAY)
      if (!this.#kept.keeping) this.#kept.keep(this.#document)
    }
    const { epoch } = this.#document
    const { replace, updates } = news
    this.#host.post({ kind: 'news', document: this.name, replace, epoch, updates, accepted: [] })
    this.#changed()
  }

  peerNews({ replace, epoch, updates }: { replace: boolean; epoch: number; updates: Uint8Array[] }): void {
    const old = this.#document.epoch
    if (replace && old !== epoch) {
      this.#document = this.#make(epoch)
      this.#kept.replace(this.#document, old, () => this.#host.journal.flush())
    } else if (this.#document.point.commitsId === 0) this.#rekey(epoch)
    if (this.#document.epoch !== epoch) return
    this.#document.apply(updates, PEER)
    if (!this.#kept.keeping) this.#kept.keep(this.#document)
    this.#changed()
  }

  close(): Promise<void> {
    return this.#kept.close()
  }

  /** An empty document that was kept under another epoch than the relay's first word. */
  #rekey(epoch: number): void {
    if (this.#document.epoch === epoch) return
    const old = this.#document.epoch
    this.#document.epoch = epoch
    if (this.#kept.keeping) this.#kept.replace(this.#document, old, () => this.#host.journal.flush())
  }

  #make(epoch: number): UserDocument {
    return new UserDocument(epoch, randomUint32(this.#host.platform))
  }

  #changed(): void {
    this.#host.journal.saveSummary(this.name, () => ({
      document: this.name,
      ...this.#document.point,
      data: null,
    }))
    this.#listener.changed(this.conversations())
    for (const { id, document, code, message } of this.#document.refusals) {
      if (this.#host.journal.get(id)?.state === 'pending') {
        this.#listener.refused(document, { id, verdict: 'refused', code, message })
      }
    }
  }
}
