/** Longer than two screens: every member of the public surface carries its documentation. */
import { ConfabError } from '@confab/core'
import type { CancellablePromise } from './cancellable-promise.ts'
import { jsonOf, nameOf, pageSizeOf, textOf, timeOf } from './checks.ts'
import type { ClientOptions, CreateConversationOptions, TokenSource } from './client-options.ts'
import type { ContentTemplate } from './content.ts'
import type { Conversation } from './conversation.ts'
import { ReplayEventEmitter } from './emitter.ts'
import { readTokenClaims } from './engine/token.ts'
import { HeldOperation, pendingOperation } from './held-operation.ts'
import { joinByInvite } from './invites.ts'
import { contentUrls, type Media } from './media.ts'
import type { Message } from './message.ts'
import { Page, type Paginator } from './paginator.ts'
import { part } from './part.ts'
import type { Participant } from './participant.ts'
import { type PushNotification, readPushNotification } from './push-notification.ts'
import { Startup } from './startup.ts'
import type { Surface } from './surface.ts'
import type {
  ConnectionError,
  ConnectionState,
  ConversationUpdatedEventArgs,
  Diagnostics,
  MessageUpdatedEventArgs,
  NotificationsChannelType,
  ParticipantUpdatedEventArgs,
  PendingOperation,
  SearchOptions,
  SearchResult,
  State,
  StorageFigures,
  UploadProgressEventArgs,
  UserUpdatedEventArgs,
} from './types.ts'
import type { User } from './user.ts'
import { Users } from './users.ts'
import { VERSION } from './version.ts'

export type ClientEvents = {
  conversationAdded: (conversation: Conversation) => void
  conversationJoined: (conversation: Conversation) => void
  conversationLeft: (conversation: Conversation) => void
  conversationRemoved: (conversation: Conversation) => void
  conversationUpdated: (data: ConversationUpdatedEventArgs) => void
  participantJoined: (participant: Participant) => void
  participantLeft: (participant: Participant) => void
  participantUpdated: (data: ParticipantUpdatedEventArgs) => void
  messageAdded: (message: Message) => void
  messageRemoved: (message: Message) => void
  messageUpdated: (data: MessageUpdatedEventArgs) => void
  uploadProgress: (data: UploadProgressEventArgs) => void
  typingEnded: (participant: Participant) => void
  typingStarted: (participant: Participant) => void
  tokenAboutToExpire: () => void
  tokenExpired: () => void
  pushNotification: (pushNotification: PushNotification) => void
  userSubscribed: (user: User) => void
  userUnsubscribed: (user: User) => void
  userUpdated: (data: UserUpdatedEventArgs) => void
  stateChanged: (state: State) => void
  initialized: () => void
  initFailed: (data: { error?: ConnectionError }) => void
  connectionStateChanged: (state: ConnectionState) => void
  connectionError: (data: ConnectionError) => void
  operationRefused: (held: HeldOperation) => void
  /** What `getPendingOperations` or `getHeldOperations` gives has changed. */
  operationsChanged: () => void
}

/**
 * A person's conversations on this device. It starts by itself, opens what the device holds, and meets the relay
 * when it can be reached; everything works before that. Calls made before it is initialised wait for it.
 *
 * When the client can't start (its storage doesn't open, or nothing tells where the relay is), it emits
 * `stateChanged` with `failed` and `initFailed`, and every method rejects with that error. After `shutdown` every
 * method rejects with `ConfabError` 70701.
 */
export class Client extends ReplayEventEmitter<ClientEvents> {
  /** A conversation is known to this client: at each start, and whenever one is new. */
  static readonly conversationAdded = 'conversationAdded'
  /** This person takes part in a conversation: at each start, and whenever one begins to. */
  static readonly conversationJoined = 'conversationJoined'
  /** This person no longer takes part in a conversation. */
  static readonly conversationLeft = 'conversationLeft'
  /** A conversation is no longer known to this client. */
  static readonly conversationRemoved = 'conversationRemoved'
  static readonly conversationUpdated = 'conversationUpdated'
  static readonly participantJoined = 'participantJoined'
  static readonly participantLeft = 'participantLeft'
  static readonly participantUpdated = 'participantUpdated'
  static readonly messageAdded = 'messageAdded'
  /** The message shows its old index. */
  static readonly messageRemoved = 'messageRemoved'
  static readonly messageUpdated = 'messageUpdated'
  /** Attachments of a message of this person's are further on their way to the relay, or wait. */
  static readonly uploadProgress = 'uploadProgress'
  static readonly typingEnded = 'typingEnded'
  static readonly typingStarted = 'typingStarted'
  /** The token ends soon: bring another by `updateToken`. Nothing to do when a function fetches them. */
  static readonly tokenAboutToExpire = 'tokenAboutToExpire'
  /** The token has ended: the client goes on without the relay until it is given another. */
  static readonly tokenExpired = 'tokenExpired'
  static readonly pushNotification = 'pushNotification'
  static readonly userSubscribed = 'userSubscribed'
  static readonly userUnsubscribed = 'userUnsubscribed'
  static readonly userUpdated = 'userUpdated'
  /** `initialized` or `failed`. */
  static readonly stateChanged = 'stateChanged'
  /** What the device holds is readable, with or without a network. */
  static readonly initialized = 'initialized'
  static readonly initFailed = 'initFailed'
  static readonly connectionStateChanged = 'connectionStateChanged'
  static readonly connectionError = 'connectionError'
  /** The relay refused something that was done on this device; its content is held. */
  static readonly operationRefused = 'operationRefused'
  static readonly operationsChanged = 'operationsChanged'

  static readonly version: string = VERSION
  readonly version: string = VERSION

  readonly #startup: Startup
  readonly #users: Users

  /**
   * @param token an access token, or a function that fetches one
   */
  constructor(token: TokenSource, options?: ClientOptions | null) {
    super()
    const identity = typeof token === 'string' ? readTokenClaims(token).identity : undefined
    this.#users = new Users(identity ?? options?.identity ?? '', {
      userSubscribed: (user) => this.emit('userSubscribed', user),
      userUnsubscribed: (user) => this.emit('userUnsubscribed', user),
      userUpdated: (data) => this.emit('userUpdated', data),
      surface: () => this.#surface(),
    })
    this.#startup = new Startup(this, token, options ?? {}, this.#users)
  }

  /**
   * A client that is initialised already: use `onWithReplay` for events that came before.
   * @throws ConfabError as `initFailed` would tell
   * @deprecated Call the constructor.
   */
  static async create(token: TokenSource, options?: ClientOptions | null): Promise<Client> {
    const client = new Client(token, options)
    await client.#startup.ready
    return client
  }

  /** Takes what Twilio's libraries share of a start, and needs nothing of it. */
  static populateInitRegistrations(_registrations: unknown): void {}

  /**
   * Reads the payload of a push notification as APNs or FCM delivered it.
   * @throws ConfabError 20001 when it is not one
   */
  static parsePushNotification(notificationPayload: unknown): PushNotification {
    return readPushNotification(notificationPayload)
  }

  /** How the connection to the relay is. */
  get connectionState(): ConnectionState {
    return this.#startup.connectionState
  }

  /** Whose client this is. Its identity is `''` until it is known. */
  get user(): User {
    return this.#users.myself
  }

  /** True: the relay tells whether those who are followed are connected. */
  get reachabilityEnabled(): boolean {
    return true
  }

  /** The newest token; `''` before one was fetched. @deprecated */
  get token(): string {
    return this.#startup.token
  }

  /**
   * Goes on with another token of the same person, on the live connection if there is one.
   * @throws ConfabError 20003 when it is somebody else's
   */
  async updateToken(token: string): Promise<Client> {
    await this.#startup.updateToken(nameOf(token, 'A token'))
    return this
  }

  /** Stops, having stored everything. What is pending is sent by the next client on this storage. Idempotent. */
  async shutdown(): Promise<void> {
    await this.#startup.shutdown()
  }

  /** Disconnects, and stays so until `goOnline`. Everything goes on working. */
  async goOffline(): Promise<void> {
    await (await this.#surface()).working().goOffline()
  }

  /** Connects again after `goOffline`. */
  async goOnline(): Promise<void> {
    await (await this.#surface()).working().goOnline()
  }

  /**
   * The conversation with this sid. The relay is asked for one that isn't known here.
   * @throws ConfabError 20404 when it isn't this person's or doesn't exist, which look the same, or can't be asked for
   */
  async getConversationBySid(conversationSid: string): Promise<Conversation> {
    return this.#find(nameOf(conversationSid, 'A conversation sid'), (sid, surface) =>
      surface.engine.conversation(sid),
    )
  }

  /** The same as `getConversationBySid`. */
  async peekConversationBySid(conversationSid: string): Promise<Conversation> {
    return this.getConversationBySid(conversationSid)
  }

  /**
   * The conversation with this unique name.
   * @throws ConfabError 20404 as `getConversationBySid`
   */
  async getConversationByUniqueName(uniqueName: string): Promise<Conversation> {
    return this.#find(nameOf(uniqueName, 'A unique name'), (name, surface) =>
      surface.engine.conversations().find(({ record }) => record.uniqueName === name),
    )
  }

  /** All conversations of this person, by their newest message, newest first, on one page. */
  async getSubscribedConversations(): Promise<Paginator<Conversation>> {
    const surface = await this.#surface()
    const newest = ({
      lastMessage,
      record,
    }: {
      lastMessage: { dateCreated: number } | null
      record: { dateCreated: number }
    }) => lastMessage?.dateCreated ?? record.dateCreated
    const engine = surface.working()
    // an app that shows the list, and only then listens for more, would show twice what is yet to be told
    await engine.caughtUp()
    const views = [...engine.conversations()].sort((a, b) => newest(b) - newest(a))
    return new Page({ items: views.map((view) => surface.show(view).conversation), next: null, prev: null })
  }

  /**
   * Creates a conversation, which its creator may join next. Works offline; when a unique name turns out to be
   * taken, the conversation is created without it.
   * @throws ConfabError 70103 for a name that is too long, 70102 and 70104 for the attributes, 50422 when this
   * person has too many, 20403 without the permission, 70501 when storage fails
   */
  async createConversation(options: CreateConversationOptions = {}): Promise<Conversation> {
    const surface = await this.#surface()
    const engine = surface.working()
    const { friendlyName, uniqueName, attributes } = options ?? {}
    const { sid, draft } = engine.newConversation({
      ...(friendlyName == null ? {} : { friendlyName: textOf(friendlyName, 'A friendly name') }),
      ...(uniqueName == null || uniqueName === '' ? {} : { uniqueName: textOf(uniqueName, 'A unique name') }),
      ...(attributes === undefined ? {} : { attributes: jsonOf(attributes, engine.limits.jsonDepth) }),
    })
    await engine.submit(sid, [draft])
    const live = surface.find(sid)
    if (!live) throw new ConfabError(20404, `The conversation ${sid} was removed again`)
    return live.conversation
  }

  /**
   * Opens and joins the conversation of an invite, with or without a network. What is written there is sent when
   * the relay lets this person in.
   * @throws ConfabError 70203 when it is no invite, 70202 when it has expired, 70201 when the relay doesn't take
   * it, 70501 when storage fails
   */
  async joinByInvite(invite: string): Promise<Conversation> {
    const text = nameOf(invite, 'An invite')
    const surface = await this.#surface()
    return surface.show(await joinByInvite(surface.working(), text)).conversation
  }

  /**
   * Searches the messages on this device, with or without a network: every word of the query must begin a word of the
   * message (its subject and body), whatever the case and the accents; in scripts without spaces it may stand
   * anywhere. The first search makes an index of all that is here, which is kept; from then on it follows.
   * @throws ConfabError 20001 for malformed options, 70501 when storage fails, 70702 when this part of the package
   * can't be loaded
   */
  async searchMessages(query: string, options: SearchOptions = {}): Promise<SearchResult> {
    const { conversation, author, before, after, limit } = options ?? {}
    const wanted = {
      text: textOf(query, 'A query'),
      limit: pageSizeOf(limit),
      ...(conversation == null ? {} : { conversationSid: conversationSidOf(conversation) }),
      ...(author == null ? {} : { author: textOf(author, 'An author').normalize('NFC') }),
      ...(before == null ? {} : { before: timeOf(before, 'before') }),
      ...(after == null ? {} : { after: timeOf(after, 'after') }),
    }
    const surface = await this.#surface()
    surface.working()
    const { searchMessages } = await part(import('./search/search.ts'))
    return searchMessages(surface, wanted)
  }

  /**
   * Why something isn't sent: the connection and its history, the token, the clock, what is pending in each
   * conversation, what was refused, and storage. Nothing that a person wrote is in it, and no token: fit for a report.
   * @throws ConfabError 70501 when storage fails, 70702 when this part of the package can't be loaded
   */
  async diagnostics(): Promise<Diagnostics> {
    const surface = await this.#surface()
    return (await part(import('./tools/tools.ts'))).diagnosticsOf(surface, VERSION)
  }

  /**
   * How many bytes the conversations on this device take, and how many they may.
   * @throws ConfabError 70501 when storage fails, 70702 when this part of the package can't be loaded
   */
  async storage(): Promise<StorageFigures> {
    const surface = await this.#surface()
    return (await part(import('./tools/tools.ts'))).figuresOf(surface)
  }

  /**
   * Asks the browser not to clear what the app keeps when the device runs low. Browsers decide for themselves, some
   * by asking the person. Elsewhere than in a page: true where the storage keeps anything at all.
   */
  async persistStorage(): Promise<boolean> {
    const storage = typeof navigator === 'undefined' ? undefined : navigator.storage
    if (storage?.persist) return storage.persist()
    return this.#startup.isKept
  }

  /**
   * Removes what this device keeps of a conversation: its messages, its history and its attachments, the index too. It stays on
   * the list, and is fetched again when it is opened. Nobody else notices.
   * @returns whether it did: not while something that was done there is undecided
   * @throws ConfabError 20404 when there is no such conversation, 70501 when storage fails, 70702 when this part of
   * the package can't be loaded
   */
  async forget(conversation: Conversation | string): Promise<boolean> {
    const sid = conversationSidOf(conversation)
    const surface = await this.#surface()
    if (!surface.working().conversation(sid)) throw new ConfabError(20404)
    return (await part(import('./tools/tools.ts'))).forget(surface, sid)
  }

  /**
   * Shuts down and removes everything that this client keeps on the device, what isn't sent yet included. Other tabs
   * with the same person's client lose their store.
   * @throws ConfabError 70501 when storage fails
   */
  async destroy(): Promise<void> {
    await this.#startup.destroy()
  }

  /** What was done on this device and the relay has not decided yet, oldest first. `[]` before initialisation. */
  getPendingOperations(): PendingOperation[] {
    return this.#startup.surface?.engine.pendingOperations().map(pendingOperation) ?? []
  }

  /** What was refused; its content is kept until it is resent or discarded. `[]` before initialisation. */
  getHeldOperations(): HeldOperation[] {
    const { surface } = this.#startup
    return surface?.engine.heldOperations().map((view) => new HeldOperation(surface, view)) ?? []
  }

  /**
   * The user with this identity, followed from now on. Somebody who isn't known here has no name: when the relay
   * can't be asked, and when they have said nothing of themselves or don't exist, which look the same.
   *
   * A hundred others are followed at once; beyond, the one asked for least recently no longer is
   * (`userUnsubscribed`).
   * @throws ConfabError 20001 for a malformed identity
   */
  async getUser(identity: string): Promise<User> {
    return this.#users.get(await this.#surface(), identity)
  }

  /** The users that are followed, this person first. */
  async getSubscribedUsers(): Promise<User[]> {
    await this.#surface()
    return this.#users.subscribed()
  }

  /**
   * Registers this device with a push service, in place of what it registered there before. The relay keeps the
   * registration for those who send.
   * @param registrationId the push service's name for the device
   * @throws ConfabError 20001 for a malformed one, 70501 when storage fails
   */
  async setPushRegistrationId(channelType: NotificationsChannelType, registrationId: string): Promise<void> {
    const engine = (await this.#surface()).working()
    await engine.setPushRegistration(channelType, nameOf(registrationId, 'A registration id'))
  }

  /**
   * Takes back what this device registered last with a push service; does nothing when it didn't.
   * @throws ConfabError 70501 when storage fails
   * @deprecated Use `removePushRegistrations`.
   */
  async unsetPushRegistrationId(channelType: NotificationsChannelType): Promise<void> {
    await (await this.#surface()).working().removePushRegistration(channelType, null)
  }

  /**
   * Takes a registration back, whichever device of this person made it.
   * @throws ConfabError 20001 for a malformed one, 70501 when storage fails
   */
  async removePushRegistrations(
    channelType: NotificationsChannelType,
    registrationId: string,
  ): Promise<void> {
    const engine = (await this.#surface()).working()
    await engine.removePushRegistration(channelType, nameOf(registrationId, 'A registration id'))
  }

  /** The same as `Client.parsePushNotification`. */
  parsePushNotification(notificationPayload: unknown): PushNotification {
    return readPushNotification(notificationPayload)
  }

  /**
   * Reads a payload and emits `pushNotification`.
   * @throws ConfabError 20001 when it is no push notification
   */
  async handlePushNotification(notificationPayload: unknown): Promise<void> {
    this.emit('pushNotification', readPushNotification(notificationPayload))
  }

  /**
   * Where each attachment can be fetched, by its sid.
   * @throws ConfabError 20404 when one can't be
   */
  getTemporaryContentUrlsForMediaSids(mediaSids: string[]): CancellablePromise<Map<string, string>> {
    return contentUrls(() => this.#surface(), mediaSids)
  }

  /**
   * Where each attachment can be fetched, by its sid.
   * @throws ConfabError 20404 when one can't be
   */
  getTemporaryContentUrlsForMedia(contentSet: Media[]): CancellablePromise<Map<string, string>> {
    return this.getTemporaryContentUrlsForMediaSids(contentSet.map((media) => media.sid))
  }

  #surface(): Promise<Surface> {
    return this.#startup.ready
  }

  /** The templates of rich content: none, they are a service of Twilio's. */
  async getContentTemplates(): Promise<readonly ContentTemplate[]> {
    await this.#surface()
    return []
  }

  async #find(
    name: string,
    known: (name: string, surface: Surface) => import('./engine/engine.ts').ConversationView | undefined,
  ): Promise<Conversation> {
    const surface = await this.#surface()
    const engine = surface.working()
    const view = known(name, surface) ?? (await engine.findConversation(name))
    if (!view)
      throw new ConfabError(20404, `There is no conversation ${name} for you, or the relay can't be asked`)
    return surface.show(view).conversation
  }
}

const conversationSidOf = (conversation: Conversation | string): string =>
  nameOf(typeof conversation === 'string' ? conversation : conversation?.sid, 'A conversation')
