/** What a turn changes in people's private documents (`user/<identity>`): their list of conversations, their refusals. */
import { userDocument } from '@confab/core'
import type { DirectoryChange } from './decide-work.ts'
import type { DocumentModel } from './document.ts'
import { documentKey } from './readers.ts'

interface ChangesOfOne {
  serviceSid: string
  document: string
  /** By conversation: the last one of a turn counts. */
  directory: Map<string, DirectoryChange>
  /** Conversations that were entered in this turn, whatever came after. */
  entered: Set<string>
  refusals: Parameters<DocumentModel['putRefusal']>[0][]
}

export class PrivateChanges {
  readonly byDocument = new Map<string, ChangesOfOne>()

  get isEmpty(): boolean {
    return this.byDocument.size === 0
  }

  refusal(serviceSid: string, identity: string, refusal: ChangesOfOne['refusals'][number]): void {
    this.#of(serviceSid, identity).refusals.push(refusal)
  }

  directory(serviceSid: string, change: DirectoryChange): void {
    const { directory, entered } = this.#of(serviceSid, change.identity)
    const sid = change.type === 'directory.put' ? change.record.sid : change.conversationSid
    directory.set(sid, change)
    if (change.type === 'directory.put') entered.add(sid)
  }

  #of(serviceSid: string, identity: string): ChangesOfOne {
    const document = userDocument(identity)
    const key = documentKey(serviceSid, document)
    let changes = this.byDocument.get(key)
    if (!changes) {
      changes = { serviceSid, document, directory: new Map(), entered: new Set(), refusals: [] }
      this.byDocument.set(key, changes)
    }
    return changes
  }
}
