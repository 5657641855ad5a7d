/**
 * Takes an exported conversation into a relay's store: the same sids, indices, dates and horizons, written as the relay
 * writes its own commits. The relay that serves the store must not run meanwhile.
 *
 * A first commit makes the conversation and puts it on its people's lists; messages follow in commits of a bounded
 * size. An import that was cut short goes on where it stopped.
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type DirectoryRecord, type MessageRecord, userDocument } from '@confab/core'
import { DocumentModel, type WriterPool } from '../commit/document.ts'
import { type RunIds, runIds } from '../commit/root-ids.ts'
import type { DocumentCommit, Store } from '../store/store.ts'
import type { Exported } from './exported.ts'

/** Messages of one commit: some 100 kB. */
const AT_ONCE = 500

export interface Imported {
  /** Messages that were written now. */
  messages: number
  /** What could not be kept as it was. */
  warnings: string[]
}

/** @throws Error when another conversation has the sid, and when storage fails */
export async function importConversation(
  store: Store,
  serviceSid: string,
  exported: Exported,
): Promise<Imported> {
  const writing = new Writing(store, serviceSid, exported)
  const begun = await store.load(serviceSid, exported.record.sid)
  const model = begun ? await writing.goOn(begun) : await writing.begin()
  const left = exported.messages.filter(({ index }) => index > model.highestIndex)
  for (let at = 0; at < left.length; at += AT_ONCE) await writing.append(model, left.slice(at, at + AT_ONCE))
  await writing.finish(model)
  const attached = exported.messages.reduce((sum, { media = [] }) => sum + media.length, 0)
  if (attached > 0)
    writing.warnings.push(
      `${attached} attachments are named, and their content isn't here: an import takes messages alone`,
    )
  return { messages: left.length, warnings: writing.warnings }
}

class Writing {
  readonly warnings: string[] = []
  readonly #store: Store
  readonly #serviceSid: string
  readonly #exported: Exported
  readonly #run: RunIds = runIds((bytes) => randomBytes(bytes))
  readonly #writers: WriterPool = []

  constructor(store: Store, serviceSid: string, exported: Exported) {
    this.#store = store
    this.#serviceSid = serviceSid
    this.#exported = exported
  }

  /** The conversation with its people, on their lists. */
  async begin(): Promise<DocumentModel> {
    const { record, participants } = this.#exported
    const model = DocumentModel.fresh(this.#serviceSid, record.sid, 'conversation', this.#run, this.#writers)
    const { highestIndex: _, ...values } = await this.#withOwnName()
    const entry: DirectoryRecord = {
      sid: record.sid,
      status: 'joined',
      since: record.dateCreated,
      ...(values.uniqueName === undefined ? {} : { uniqueName: values.uniqueName }),
    }
    model.apply([{ type: 'conversation.set', values }])
    for (const { record: participant } of participants)
      model.apply([{ type: 'participant.put', record: participant }])
    const lists = new Map<string, DirectoryRecord>()
    if (record.creatorPending) lists.set(record.createdBy, { ...entry, status: 'created' })
    for (const { record: participant } of participants) {
      if (participant.identity !== undefined)
        lists.set(participant.identity, { ...entry, since: participant.dateCreated })
    }
    const listed: DocumentModel[] = []
    for (const [identity, own] of lists) {
      model.apply([{ type: 'directory.put', identity, record: own }])
      const list = await this.#listOf(identity)
      list.putDirectory(own)
      listed.push(list)
    }
    await this.#commit([model, ...listed])
    return model
  }

  /** What is there must be the beginning of what is imported. */
  async goOn(begun: NonNullable<Awaited<ReturnType<Store['load']>>>): Promise<DocumentModel> {
    const { record, messages } = this.#exported
    const { head } = begun
    const there = await this.#store.messageRange(head.key, 0, head.highestIndex + 1)
    const beginning = messages.filter(({ index }) => index <= head.highestIndex)
    const same =
      there.length === beginning.length &&
      there.every((one, at) => isDeepStrictEqual(one.record, beginning[at]))
    if (head.deleted || !same)
      throw new Error(`the service has a conversation ${record.sid}, and it is not the beginning of this one`)
    return new DocumentModel(begun, this.#run, this.#writers)
  }

  async append(model: DocumentModel, messages: readonly MessageRecord[]): Promise<void> {
    for (const record of messages) {
      model.apply([{ type: 'message.append', record }])
      // its post was decided: a device that still has it doesn't post it again
      model.remember({ id: record.sid.slice(2), verdict: 'accepted' }, record.author)
    }
    await this.#commit([model])
  }

  /** Horizons, and that indices of removed messages at the end are not given again. */
  async finish(model: DocumentModel): Promise<void> {
    const { record, participants } = this.#exported
    for (const { read } of participants) {
      if (read && !isDeepStrictEqual(model.read(read.participantSid), read))
        model.apply([{ type: 'read.put', record: read }])
    }
    if (record.highestIndex !== undefined && record.highestIndex > model.highestIndex) {
      model.head.highestIndex = record.highestIndex
      model.apply([{ type: 'conversation.set', values: { highestIndex: record.highestIndex } }])
    }
    await this.#commit([model])
  }

  /** A unique name is one conversation's. */
  async #withOwnName(): Promise<Exported['record']> {
    const { record } = this.#exported
    const { uniqueName, ...others } = record
    if (
      uniqueName === undefined ||
      (await this.#store.uniqueNameOwner(this.#serviceSid, uniqueName)) === null
    )
      return record
    this.warnings.push(`the unique name "${uniqueName}" is taken: the conversation comes without it`)
    return others
  }

  async #listOf(identity: string): Promise<DocumentModel> {
    const document = userDocument(identity)
    const loaded = await this.#store.load(this.#serviceSid, document)
    return loaded
      ? new DocumentModel(loaded, this.#run, this.#writers)
      : DocumentModel.fresh(this.#serviceSid, document, 'user', this.#run, this.#writers)
  }

  async #commit(models: readonly DocumentModel[]): Promise<void> {
    const commits: DocumentCommit[] = []
    const fresh: DocumentModel[] = []
    for (const model of models) {
      const isFresh = model.head.key === 0
      const commit = model.finish()
      if (!commit) continue
      commits.push(commit)
      if (isFresh) fresh.push(model)
    }
    if (commits.length === 0) return
    const keys = await this.#store.commit(commits)
    for (const [at, model] of fresh.entries()) model.head.key = keys[at] as number
  }
}
