/**
 * What decisions ask across conversations, fetched before a turn and kept true through it: two conversations that
 * claim one unique name in the same turn must see each other.
 */
import type { Change, MediaRecord, Operation, ParticipantRecord } from '@confab/core'
import type { StoredMedia } from '../store/media.ts'
import type { Store } from '../store/store.ts'
import type { DocumentModel } from './document.ts'

const pairKey = (serviceSid: string, a: string, b = ''): string => JSON.stringify([serviceSid, a, b])

export class Lookups {
  readonly #store: Store
  readonly #names = new Map<string, string | null>()
  readonly #pairs = new Map<string, string | null>()
  readonly #counts = new Map<string, number>()
  readonly #media = new Map<string, StoredMedia | null>()
  #fetching: Promise<void>[] = []

  constructor(store: Store) {
    this.#store = store
  }

  /** Notes what an operation will be decided on. */
  want(serviceSid: string, identity: string, operation: Operation): void {
    switch (operation.type) {
      case 'conversation.create':
      case 'conversation.update':
        if (typeof operation.uniqueName === 'string') this.#wantName(serviceSid, operation.uniqueName)
        if (operation.type === 'conversation.create' && identity !== '') this.#wantCount(serviceSid, identity)
        break
      case 'message.post':
        for (const { sid } of operation.media ?? []) this.#wantMedia(serviceSid, sid)
        break
      case 'conversation.join':
        this.#wantCount(serviceSid, identity)
        break
      case 'participant.add':
        if (operation.identity !== undefined) this.#wantCount(serviceSid, operation.identity)
        if (operation.binding)
          this.#wantPair(serviceSid, operation.binding.address, operation.binding.proxyAddress)
        break
    }
  }

  /** Resolves when everything wanted is here; null when it is already. */
  fetched(): Promise<unknown> | null {
    if (this.#fetching.length === 0) return null
    const all = Promise.all(this.#fetching)
    this.#fetching = []
    return all
  }

  uniqueNameOwner(serviceSid: string, name: string): string | null {
    return this.#names.get(pairKey(serviceSid, name)) ?? null
  }

  bindingOwner(serviceSid: string, address: string, proxyAddress: string): string | null {
    return this.#pairs.get(pairKey(serviceSid, address, proxyAddress)) ?? null
  }

  conversationCount(serviceSid: string, identity: string): number {
    return this.#counts.get(pairKey(serviceSid, identity)) ?? 0
  }

  /**
   * The first of these that a message of the conversation can't have: not whole, another's, of another conversation or
   * message, or not what the record says.
   * @param identity who posts; null: a server or a channel
   */
  missingMedia(
    { head }: DocumentModel,
    identity: string | null,
    media: readonly MediaRecord[],
  ): MediaRecord | undefined {
    const seen = new Set<string>()
    return media.find((record) => {
      const stored = this.#media.get(pairKey(head.serviceSid, record.sid))
      const isTwice = seen.has(record.sid)
      seen.add(record.sid)
      return isTwice || !stored || !canHave(stored, identity, head.document, record)
    })
  }

  /** Follows what is about to be applied to the conversation. */
  follow(model: DocumentModel, changes: readonly Change[]): void {
    const { serviceSid, document } = model.head
    for (const change of changes) {
      switch (change.type) {
        case 'conversation.set':
          if ('uniqueName' in change.values) this.#rename(model, change.values.uniqueName)
          if (change.values.state?.current === 'closed') this.#freePairs(model)
          break
        case 'conversation.delete':
          this.#rename(model, undefined)
          this.#freePairs(model)
          break
        case 'participant.put':
          this.#bind(serviceSid, change.record, document)
          break
        case 'participant.delete':
          this.#bind(serviceSid, change.record, null)
          break
        case 'message.append':
          for (const { sid } of change.record.media ?? []) this.#media.set(pairKey(serviceSid, sid), null)
          break
        case 'directory.put':
          if (!model.isMember(change.identity)) this.#add(serviceSid, change.identity, 1)
          break
        case 'directory.delete':
          this.#add(serviceSid, change.identity, -1)
          break
      }
    }
  }

  #rename(model: DocumentModel, uniqueName: string | undefined): void {
    const { serviceSid, document } = model.head
    const before = model.conversation?.uniqueName
    if (before !== undefined) this.#names.set(pairKey(serviceSid, before), null)
    if (uniqueName !== undefined) this.#names.set(pairKey(serviceSid, uniqueName), document)
  }

  #freePairs(model: DocumentModel): void {
    for (const record of model.participants()) this.#bind(model.head.serviceSid, record, null)
  }

  #bind(serviceSid: string, { binding }: ParticipantRecord, document: string | null): void {
    if (binding) this.#pairs.set(pairKey(serviceSid, binding.address, binding.proxyAddress), document)
  }

  #add(serviceSid: string, identity: string, by: number): void {
    const key = pairKey(serviceSid, identity)
    const count = this.#counts.get(key)
    if (count !== undefined) this.#counts.set(key, count + by)
  }

  #wantName(serviceSid: string, name: string): void {
    const key = pairKey(serviceSid, name)
    if (this.#names.has(key)) return
    this.#names.set(key, null)
    this.#fetching.push(
      this.#store.uniqueNameOwner(serviceSid, name).then((owner) => void this.#names.set(key, owner)),
    )
  }

  #wantMedia(serviceSid: string, sid: string): void {
    const key = pairKey(serviceSid, sid)
    if (this.#media.has(key)) return
    this.#media.set(key, null)
    this.#fetching.push(
      this.#store.media.find(serviceSid, sid).then((found) => void this.#media.set(key, found)),
    )
  }

  #wantPair(serviceSid: string, address: string, proxyAddress: string): void {
    const key = pairKey(serviceSid, address, proxyAddress)
    if (this.#pairs.has(key)) return
    this.#pairs.set(key, null)
    this.#fetching.push(
      this.#store
        .bindingOwner(serviceSid, address, proxyAddress)
        .then((owner) => void this.#pairs.set(key, owner)),
    )
  }

  #wantCount(serviceSid: string, identity: string): void {
    const key = pairKey(serviceSid, identity)
    if (this.#counts.has(key)) return
    this.#counts.set(key, 0)
    this.#fetching.push(
      this.#store.conversationCount(serviceSid, identity).then((count) => void this.#counts.set(key, count)),
    )
  }
}

const canHave = (
  stored: StoredMedia,
  identity: string | null,
  conversationSid: string,
  { size, sha256, contentType }: MediaRecord,
): boolean =>
  stored.state === 'ready' &&
  stored.messageSid === null &&
  stored.identity === identity &&
  (stored.conversationSid === null || stored.conversationSid === conversationSid) &&
  stored.size === size &&
  stored.hash === sha256 &&
  stored.contentType === contentType
