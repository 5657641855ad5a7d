/** An engine of a few lines, to see what the surface asks of one and what it makes of what one tells. */
import {
  applyAttributesPatch,
  CHANNEL_USER,
  type ConfabError,
  conversationSid,
  DEFAULT_LIMITS,
  messageSidOf,
  type Operation,
  participantSid,
} from '@confab/core'
import type {
  ConnectionState,
  ConversationView,
  Engine,
  EngineEvents,
  EngineOptions,
  HeldOperationView,
  MessageView,
  OperationDraft,
  ParticipantView,
  UserView,
} from '../src/engine/engine.ts'
import { Client, type ClientOptions, type TokenSource } from '../src/index.ts'
import { SEAMS } from '../src/startup.ts'
import { memoryMedia } from '../src/storage/memory-media.ts'

export const ME = 'ada'
export const T0 = Date.UTC(2026, 0, 1)
const owner = { relay: 'ws://relay.test', accountSid: 'AC1', serviceSid: 'IS1', identity: ME }

export class FakeEngine implements Engine {
  readonly owner = owner
  readonly limits = DEFAULT_LIMITS
  readonly options: EngineOptions
  connectionState: ConnectionState = 'connecting'
  readonly media = memoryMedia({ contents: new Map(), uses: new Map(), leader: Promise.resolve() })
  get local(): Engine['local'] {
    const random = (bytes: number) => new Uint8Array(bytes).fill(7)
    return {
      pages: { list: async () => [] },
      now: () => T0,
      relayNow: () => T0,
      random,
      media: async () => this.media,
      journal: { allPending: () => [], held: () => [] },
      attachments: { onNeeded() {}, work() {} },
      connection: { connected: false, token: async () => 'token' },
      followers: new Set(),
      conversation: () => undefined,
      free: async () => false,
      isPinned: () => false,
      warn() {},
    } as never
  }
  readonly ready: Promise<void>
  /** What the surface listens with. */
  tell!: EngineEvents
  readonly views = new Map<string, ConversationView>()
  readonly timeline = new Map<string, MessageView[]>()
  readonly people = new Map<string, ParticipantView[]>()
  readonly submitted: { conversationSid: string; draft: OperationDraft; wait: string }[] = []
  readonly calls: unknown[][] = []
  held: HeldOperationView[] = []
  /** Known to the relay only. */
  elsewhere: ConversationView | undefined
  /** What the next submit is refused with. */
  refusal: ConfabError | null = null
  /** What the next submit waits for. */
  verdict: Promise<void> = Promise.resolve()
  initialise!: () => void
  fail!: (error: ConfabError) => void
  #ids = 0

  constructor(options: EngineOptions) {
    this.options = options
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {})
    this.ready = promise
    this.initialise = () => {
      resolve()
      this.tell.initialized()
    }
    this.fail = (error) => {
      reject(error)
      this.tell.initFailed(error)
    }
  }

  start(events: EngineEvents): void {
    this.tell = events
  }

  async caughtUp(): Promise<void> {}
  conversations(): ConversationView[] {
    return [...this.views.values()]
  }
  conversation(sid: string): ConversationView | undefined {
    return this.views.get(sid)
  }
  async findConversation(): Promise<ConversationView | undefined> {
    return this.elsewhere
  }
  async participants(sid: string): Promise<ParticipantView[]> {
    return this.people.get(sid) ?? []
  }
  async messages(
    sid: string,
    { count, anchor, direction }: { count: number; anchor?: number; direction: 'backwards' | 'forward' },
  ) {
    const all = this.timeline.get(sid) ?? []
    const back = direction === 'backwards'
    const inRange = all.filter(({ record }) =>
      anchor === undefined ? true : back ? record.index <= anchor : record.index >= anchor,
    )
    const items = back ? inRange.slice(-count) : inRange.slice(0, count)
    const edge = items.length > 0 ? [all.indexOf(items[0]!), all.indexOf(items.at(-1)!)] : null
    const outside = all.length - inRange.length > 0
    return {
      items,
      absent: null,
      hasOlder: edge ? edge[0]! > 0 : !back && outside,
      hasNewer: edge ? edge[1]! < all.length - 1 : back && outside,
    }
  }
  async message(sid: string, messageSid: string): Promise<MessageView | undefined> {
    return this.timeline.get(sid)?.find(({ record }) => record.sid === messageSid)
  }

  newConversation(fields: object) {
    const nonce = (++this.#ids).toString(16).padStart(32, '0')
    return {
      sid: conversationSid(ME, nonce),
      draft: { type: 'conversation.create', nonce, ...fields } as OperationDraft,
    }
  }

  async submit(
    sid: string,
    drafts: OperationDraft[],
    { wait = 'verdict' }: { wait?: 'verdict' | 'durable' } = {},
  ): Promise<Operation[]> {
    for (const draft of drafts) this.submitted.push({ conversationSid: sid, draft, wait })
    const { refusal } = this
    this.refusal = null
    if (refusal) throw refusal
    await this.verdict
    return drafts.map((draft) => {
      const id = (++this.#ids).toString(16).padStart(32, '0')
      const operation = { ...draft, id, dateWritten: T0 + this.#ids } as Operation
      this.apply(sid, operation)
      return operation
    })
  }
  async removeMessage(sid: string, messageSid: string): Promise<void> {
    this.calls.push(['removeMessage', sid, messageSid])
  }
  async pinHistory(sid: string, pinned: boolean): Promise<void> {
    this.calls.push(['pinHistory', sid, pinned])
  }

  pendingOperations() {
    return []
  }
  heldOperations(): HeldOperationView[] {
    return this.held
  }
  async resend(id: string): Promise<void> {
    this.calls.push(['resend', id])
  }
  async discard(id: string): Promise<void> {
    this.calls.push(['discard', id])
  }
  async joinInvited(...invite: unknown[]): Promise<ConversationView> {
    this.calls.push(['joinInvited', ...invite])
    return this.elsewhere!
  }
  /** Profiles that are known, by identity. */
  readonly profiles = new Map<string, UserView>()
  readonly levels = new Map<string, 'default' | 'muted'>()
  /** What following waits for. */
  answer: Promise<void> = Promise.resolve()
  user(identity: string): UserView {
    return this.profiles.get(identity) ?? { identity, record: null, online: null, notifiable: null }
  }
  async followUser(identity: string): Promise<UserView> {
    this.calls.push(['followUser', identity])
    await this.answer
    return this.user(identity)
  }
  unfollowUser(identity: string): void {
    this.calls.push(['unfollowUser', identity])
  }
  notificationLevel(sid: string): 'default' | 'muted' {
    return this.levels.get(sid) ?? 'default'
  }
  async submitForUser(drafts: OperationDraft[]): Promise<Operation[]> {
    for (const draft of drafts) {
      this.calls.push(['submitForUser', draft])
      const { refusal } = this
      this.refusal = null
      if (refusal) throw refusal
      if (draft.type === 'setting.set')
        this.levels.set(draft.conversationSid, draft.notificationLevel ?? 'default')
      if (draft.type === 'user.update') this.say(draft.identity ?? ME, draft)
    }
    return []
  }
  async setPushRegistration(...args: unknown[]): Promise<void> {
    this.calls.push(['setPushRegistration', ...args])
  }
  async removePushRegistration(...args: unknown[]): Promise<void> {
    this.calls.push(['removePushRegistration', ...args])
  }
  /** Somebody says something of themselves. */
  say(
    identity: string,
    { friendlyName, attributes }: Omit<OperationDraft & { type: 'user.update' }, 'type'>,
  ) {
    const before = this.user(identity)
    const record = { sid: 'US1', identity, dateCreated: T0, ...before.record }
    const { friendlyName: old, ...unnamed } = record
    const name = friendlyName === undefined ? old : (friendlyName ?? undefined)
    this.profiles.set(identity, {
      ...before,
      record: {
        ...unnamed,
        ...(name === undefined ? {} : { friendlyName: name }),
        ...(attributes ? { attributes: applyAttributesPatch(record.attributes ?? {}, attributes) } : {}),
      },
    })
  }

  typing(sid: string): void {
    this.calls.push(['typing', sid])
  }
  async goOffline(): Promise<void> {
    this.calls.push(['goOffline'])
  }
  async goOnline(): Promise<void> {
    this.calls.push(['goOnline'])
  }
  async updateToken(token: string): Promise<void> {
    this.calls.push(['updateToken', token])
  }
  async shutdown(): Promise<void> {
    this.calls.push(['shutdown'])
  }

  /** As the device shows an operation of its own: enough of it for what the tests say. */
  apply(sid: string, operation: Operation): void {
    switch (operation.type) {
      case 'conversation.create': {
        const { friendlyName, uniqueName, attributes } = operation
        this.views.set(
          sid,
          conversationView({
            sid,
            status: 'notParticipating',
            participant: null,
            record: {
              sid,
              createdBy: ME,
              dateCreated: operation.dateWritten,
              ...(friendlyName === undefined ? {} : { friendlyName }),
              ...(uniqueName === undefined ? {} : { uniqueName }),
              ...(attributes === undefined ? {} : { attributes }),
            },
          }),
        )
        return
      }
      case 'conversation.update': {
        const { friendlyName, attributes } = operation
        const { record } = this.views.get(sid)!
        this.change(sid, {
          record: {
            ...record,
            ...(typeof friendlyName === 'string' ? { friendlyName } : {}),
            ...(attributes ? { attributes: applyAttributesPatch(record.attributes ?? {}, attributes) } : {}),
          },
        })
        return
      }
      case 'conversation.join':
        this.change(sid, { status: 'joined' })
        return
      case 'message.post': {
        const list = this.timeline.get(sid) ?? []
        const index = (list.at(-1)?.record.index ?? -1) + 1
        const { body, attributes, media } = operation
        this.addMessage(
          sid,
          messageView(index, {
            status: 'pending',
            sid: messageSidOf(operation.id),
            author: ME,
            ...(body === undefined ? {} : { body }),
            ...(attributes === undefined ? {} : { attributes }),
            ...(media === undefined ? {} : { media }),
          }),
        )
        return
      }
      case 'message.edit': {
        const list = this.timeline.get(sid)!
        const at = list.findIndex(({ record }) => record.sid === operation.sid)
        const { record, status } = list[at]!
        list[at] = {
          status,
          record: {
            ...record,
            ...(operation.body === undefined ? {} : { body: operation.body }),
            ...(operation.attributes
              ? { attributes: applyAttributesPatch(record.attributes ?? {}, operation.attributes) }
              : {}),
          },
        }
        return
      }
      case 'participant.add': {
        const { identity, binding } = operation
        const who = identity === undefined ? binding! : { identity }
        this.addPerson(
          sid,
          participantView({
            sid: participantSid(sid, who),
            ...(identity === undefined ? { type: 'sms', binding: binding! } : { type: 'chat', identity }),
            ...(operation.attributes === undefined ? {} : { attributes: operation.attributes }),
          }),
        )
        return
      }
      case 'participant.update': {
        const list = this.people.get(sid)!
        const at = list.findIndex(({ record }) => record.sid === operation.sid)
        const { record } = list[at]!
        const attributes = applyAttributesPatch(record.attributes ?? {}, operation.attributes ?? {})
        list[at] = { ...list[at]!, record: { ...record, attributes } }
        return
      }
      case 'read.advance':
      case 'read.set': {
        const { index } = operation
        const unreadCount =
          index === null ? null : this.timeline.get(sid)!.filter(({ record }) => record.index > index).length
        this.change(sid, {
          unreadCount,
          read: { participantSid: 'MB', lastReadMessageIndex: index, lastReadTimestamp: T0 },
        })
      }
    }
  }

  addConversation(view: ConversationView): ConversationView {
    this.views.set(view.sid, view)
    return view
  }
  change(sid: string, values: Partial<ConversationView>): ConversationView {
    return this.addConversation({ ...this.views.get(sid)!, ...values })
  }
  addMessage(sid: string, view: MessageView): MessageView {
    const list = [...(this.timeline.get(sid) ?? []), view]
    this.timeline.set(sid, list)
    this.change(sid, {
      lastMessage: { index: view.record.index, dateCreated: view.record.dateCreated },
      messageCount: list.length,
      pending: list.some(({ status }) => status === 'pending'),
    })
    return view
  }
  addPerson(sid: string, view: ParticipantView): ParticipantView {
    this.people.set(sid, [...(this.people.get(sid) ?? []), view])
    return view
  }
}

export function conversationView(values: Partial<ConversationView> & { sid: string }): ConversationView {
  return {
    record: { sid: values.sid, createdBy: ME, dateCreated: T0 },
    status: 'joined',
    participant: null,
    read: null,
    lastMessage: null,
    messageCount: 0,
    unreadCount: null,
    pending: false,
    ...values,
  }
}

export function messageView(
  index: number,
  {
    status = 'accepted',
    ...record
  }: Partial<MessageView['record']> & { status?: MessageView['status'] } = {},
): MessageView {
  const sid = `IMa${index.toString(16).padStart(31, '0')}`
  return { status, record: { sid, index, author: 'bob', dateCreated: T0 + index, ...record } }
}

export function participantView(
  values: Partial<ParticipantView['record']> & { sid: string },
): ParticipantView {
  return {
    record: { type: 'chat', roleSid: CHANNEL_USER, dateCreated: T0, ...values },
    read: null,
    typing: false,
  }
}

/** An unsigned token: nobody verifies it here. */
export function tokenFor(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'HS256' })}.${part(claims)}.x`
}

export interface Opened {
  client: Client
  engine: FakeEngine
}

/** A client whose engine isn't initialised yet. */
export async function openUninitialised(
  options: ClientOptions = {},
  now: () => number = () => T0,
  token: TokenSource = tokenFor({ grants: { identity: ME } }),
): Promise<Opened> {
  let engine: FakeEngine | undefined
  const client = new Client(token, {
    url: 'ws://relay.test',
    ...options,
    [SEAMS]: {
      createEngine: (made: EngineOptions) => {
        engine = new FakeEngine(made)
        return engine
      },
      now,
    },
  } as ClientOptions)
  await laterTask()
  return { client, engine: engine! }
}

/** A client with a conversation `CH1` that it takes part in. */
export async function open(now?: () => number) {
  const { client, engine } = await openUninitialised({}, now)
  engine.addConversation(conversationView({ sid: 'CH1' }))
  engine.initialise()
  const conversation = await client.getConversationBySid('CH1')
  return { client, engine, conversation }
}

/** What was emitted, by name, in the order of emission. */
export function record(
  emitter: { on(event: never, listener: never): unknown },
  events: string[],
): [string, unknown][] {
  const heard: [string, unknown][] = []
  for (const event of events) {
    emitter.on(event as never, ((argument: unknown) => heard.push([event, argument])) as never)
  }
  return heard
}

export const laterTask = () => new Promise<void>((resolve) => setTimeout(resolve, 1))
