/** What the terminal chat does with a line, and what it shows of what happens. Knows no terminal of its own. */
import type { Client, Conversation, HeldOperation, Message } from '@confab/client'
import type { Terminal } from './terminal.ts'

interface ChatOptions {
  identity: string
  /** Start in a conversation with this person. */
  with: string | undefined
}

type Run = (session: ChatSession, rest: string) => Promise<void> | void

const COMMANDS: { [name: string]: { usage: string; help: string; run: Run } } = {
  list: { usage: '/list', help: 'your conversations, newest first', run: (chat) => chat.list() },
  open: {
    usage: '/open [number|name|sid]',
    help: 'go to a conversation',
    run: (chat, rest) => chat.open(rest),
  },
  new: {
    usage: '/new <name>',
    help: 'create a conversation and join it',
    run: (chat, rest) => chat.create(rest),
  },
  add: {
    usage: '/add <identity>',
    help: 'add somebody to this conversation',
    run: (chat, rest) => chat.add(rest),
  },
  people: { usage: '/people', help: 'who takes part here', run: (chat) => chat.people() },
  history: {
    usage: '/history [count]',
    help: 'the last messages (20)',
    run: (chat, rest) => chat.history(rest),
  },
  edit: {
    usage: '/edit <index> <text>',
    help: 'change a message of yours',
    run: (chat, rest) => chat.edit(rest),
  },
  remove: {
    usage: '/remove <index>',
    help: 'remove a message of yours',
    run: (chat, rest) => chat.remove(rest),
  },
  rename: {
    usage: '/rename <name>',
    help: 'rename this conversation',
    run: (chat, rest) => chat.rename(rest),
  },
  leave: { usage: '/leave', help: 'leave this conversation', run: (chat) => chat.leave() },
  invite: {
    usage: '/invite',
    help: 'make an invite to this conversation (works offline)',
    run: (chat) => chat.invite(),
  },
  join: {
    usage: '/join <invite>',
    help: 'join by an invite (works offline)',
    run: (chat, rest) => chat.join(rest),
  },
  pending: { usage: '/pending', help: 'what the relay has not decided yet', run: (chat) => chat.pending() },
  held: { usage: '/held', help: 'what was refused; its text is kept', run: (chat) => chat.held() },
  resend: {
    usage: '/resend <number>',
    help: 'send something held again',
    run: (chat, rest) => chat.resend(rest),
  },
  discard: {
    usage: '/discard <number>',
    help: 'forget something held',
    run: (chat, rest) => chat.discard(rest),
  },
  offline: { usage: '/offline', help: 'disconnect, and stay so', run: (chat) => chat.goOffline() },
  online: { usage: '/online', help: 'connect again', run: (chat) => chat.goOnline() },
  help: { usage: '/help', help: 'this list', run: (chat) => chat.help() },
  quit: { usage: '/quit', help: 'end (everything is kept)', run: (chat) => chat.quit() },
}

export class ChatSession {
  readonly #client: Client
  readonly #terminal: Terminal
  readonly #options: ChatOptions
  #current: Conversation | null = null
  /** What the last /list showed, so that /open 2 means what was seen. */
  #listed: Conversation[] = []

  constructor(client: Client, terminal: Terminal, options: ChatOptions) {
    this.#client = client
    this.#terminal = terminal
    this.#options = options
  }

  /** Shows what is there, then takes lines until /quit or the end of input. */
  async run(): Promise<void> {
    const { print } = this.#terminal
    this.#listen()
    print(`Confab chat as ${this.#options.identity}. /help lists the commands; anything else is posted.`)
    if (this.#options.with) await this.#openWith(this.#options.with)
    else await this.list()
    for await (const line of this.#terminal.lines()) {
      try {
        await this.#take(line.trim())
      } catch (error) {
        print(`! ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  quit(): void {
    this.#terminal.close()
  }

  async #take(line: string): Promise<void> {
    if (line === '') return
    if (!line.startsWith('/')) return this.#post(line)
    const [name = '', ...words] = line.slice(1).split(' ')
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (!command) throw new Error(`/${name} is not a command: /help lists them`)
    await command.run(this, words.join(' ').trim())
  }

  #listen(): void {
    const { print } = this.#terminal
    this.#client.on('connectionStateChanged', (state) => print(`· ${state}`))
    this.#client.on('tokenExpired', () =>
      print('· the token has expired: start again with a fresh one; what you write is kept'),
    )
    this.#client.on('conversationJoined', (conversation) => {
      if (this.#current === null && !this.#options.with) this.#enter(conversation).catch(() => {})
    })
    this.#client.on('conversationLeft', (conversation) => {
      print(`· you are no longer in "${title(conversation)}"`)
      if (this.#current?.sid === conversation.sid) this.#leaveScreen()
    })
    this.#client.on('messageAdded', (message) => {
      if (message.conversation.sid === this.#current?.sid) print(this.#line(message))
      else print(`· ${title(message.conversation)}: ${message.author}: ${message.body ?? ''}`)
    })
    this.#client.on('messageUpdated', ({ message, updateReasons }) => {
      // an acceptance is shown too: the pending mark goes away
      if (message.conversation.sid === this.#current?.sid) {
        print(updateReasons.includes('body') ? `${this.#line(message)} (edited)` : this.#line(message))
      }
    })
    this.#client.on('messageRemoved', (message) => {
      // a pending one that comes back behind others' messages says so itself
      if (message.status === 'pending') return
      if (message.conversation.sid === this.#current?.sid) print(`· message ${message.index} was removed`)
    })
    this.#client.on('participantJoined', (participant) => {
      if (participant.conversation.sid === this.#current?.sid)
        print(`· ${participant.identity ?? participant.type} is here`)
    })
    this.#client.on('participantLeft', (participant) => {
      if (participant.conversation.sid === this.#current?.sid)
        print(`· ${participant.identity ?? participant.type} left`)
    })
    this.#client.on('operationRefused', (held) => {
      print(`! refused: ${held.error.message} — kept in /held: ${summary(held)}`)
    })
  }

  #line(message: Message): string {
    const mark = message.status === 'pending' ? '…' : ' '
    return `${String(message.index).padStart(4)}${mark} ${message.author}: ${message.body ?? ''}`
  }

  #here(): Conversation {
    if (!this.#current)
      throw new Error('open a conversation first: /list, then /open <number>; or /new <name>')
    return this.#current
  }

  async #enter(conversation: Conversation): Promise<void> {
    this.#current = conversation
    this.#terminal.print(`· in "${title(conversation)}"`)
    await this.history('20')
    this.#terminal.setPrompt(`${title(conversation)}> `)
  }

  #leaveScreen(): void {
    this.#current = null
    this.#terminal.setPrompt('> ')
  }

  async #conversations(): Promise<Conversation[]> {
    const found: Conversation[] = []
    let page = await this.#client.getSubscribedConversations()
    found.push(...page.items)
    while (page.hasNextPage) {
      page = await page.nextPage()
      found.push(...page.items)
    }
    return found
  }

  async #openWith(identity: string): Promise<void> {
    for (const conversation of await this.#conversations()) {
      const people = await conversation.getParticipants()
      if (people.length === 2 && people.some((person) => person.identity === identity))
        return this.#enter(conversation)
    }
    await this.create(`${this.#options.identity} and ${identity}`)
    await this.add(identity)
  }

  async #post(text: string): Promise<void> {
    await this.#here().sendMessage(text)
  }

  async list(): Promise<void> {
    const { print } = this.#terminal
    this.#listed = await this.#conversations()
    if (this.#listed.length === 0)
      print('No conversations yet: /new <name> makes one, /join <invite> joins one.')
    for (const [at, conversation] of this.#listed.entries()) {
      const unread = conversation.lastMessage ? await conversation.getUnreadMessagesCount() : 0
      print(`${String(at + 1).padStart(3)}  ${title(conversation)}${unread ? `  (${unread} unread)` : ''}`)
    }
  }

  async open(which: string): Promise<void> {
    if (this.#listed.length === 0 || !which) this.#listed = await this.#conversations()
    if (!which) {
      if (!this.#terminal.interactive) throw new Error('usage: /open <number|name|sid>')
      const { select } = await import('@inquirer/prompts')
      const choices = this.#listed.map((conversation) => ({ name: title(conversation), value: conversation }))
      if (choices.length === 0) throw new Error('there are no conversations yet: /new <name> makes one')
      return this.#enter(await this.#terminal.aside(() => select({ message: 'Open', choices })))
    }
    const found =
      this.#listed[Number(which) - 1] ??
      (await this.#conversations()).find(
        (one) => one.sid === which || one.uniqueName === which || title(one) === which,
      )
    if (!found) throw new Error(`no conversation "${which}": /list shows them`)
    await this.#enter(found)
  }

  async create(name: string): Promise<void> {
    if (!name) throw new Error('usage: /new <name>')
    const conversation = await this.#client.createConversation({ friendlyName: name })
    // before joining, or the joined event would open it a second time
    this.#current = conversation
    await conversation.join()
    await this.#enter(conversation)
  }

  async add(identity: string): Promise<void> {
    if (!identity) throw new Error('usage: /add <identity>')
    await this.#here().add(identity)
  }

  async people(): Promise<void> {
    for (const person of await this.#here().getParticipants()) {
      this.#terminal.print(
        `  ${person.identity ?? `${person.type} participant`}${person.isTyping ? ' (typing)' : ''}`,
      )
    }
  }

  async history(count: string): Promise<void> {
    const page = await this.#here().getMessages(Math.min(Number(count) || 20, 100))
    for (const message of page.items) this.#terminal.print(this.#line(message))
    if (page.items.length > 0) await this.#here().setAllMessagesRead()
  }

  async #message(index: string): Promise<Message> {
    const number = Number.parseInt(index, 10)
    if (!Number.isSafeInteger(number)) throw new Error('give the number in front of the message')
    const page = await this.#here().getMessages(1, number)
    const message = page.items.find((one) => one.index === number)
    if (!message) throw new Error(`there is no message ${number}`)
    return message
  }

  async edit(rest: string): Promise<void> {
    const [index = '', ...words] = rest.split(' ')
    if (words.length === 0) throw new Error('usage: /edit <index> <text>')
    await (await this.#message(index)).updateBody(words.join(' '))
  }

  async remove(index: string): Promise<void> {
    await (await this.#message(index)).remove()
  }

  async rename(name: string): Promise<void> {
    if (!name) throw new Error('usage: /rename <name>')
    await this.#here().updateFriendlyName(name)
    this.#terminal.setPrompt(`${name}> `)
  }

  async leave(): Promise<void> {
    const conversation = this.#here()
    if (this.#terminal.interactive) {
      const { confirm } = await import('@inquirer/prompts')
      const sure = await this.#terminal.aside(() =>
        confirm({ message: `Leave "${title(conversation)}"?`, default: false }),
      )
      if (!sure) return
    }
    await conversation.leave()
  }

  async invite(): Promise<void> {
    this.#terminal.print(await this.#here().createInvite({}))
    this.#terminal.print('· whoever has this line can join within a week: /join <invite>')
  }

  async join(invite: string): Promise<void> {
    if (!invite) throw new Error('usage: /join <invite>')
    await this.#enter(await this.#client.joinByInvite(invite))
  }

  pending(): void {
    const pending = this.#client.getPendingOperations()
    if (pending.length === 0)
      this.#terminal.print('Nothing is pending: the relay has decided everything you did.')
    for (const one of pending) this.#terminal.print(`  … ${summary(one)}`)
  }

  held(): void {
    const held = this.#client.getHeldOperations()
    if (held.length === 0) this.#terminal.print('Nothing is held.')
    for (const [at, one] of held.entries()) {
      this.#terminal.print(
        `${String(at + 1).padStart(3)}  ${summary(one)} — ${one.error.message} (${one.error.code})`,
      )
    }
  }

  #heldAt(which: string): HeldOperation {
    const held = this.#client.getHeldOperations()[Number(which) - 1]
    if (!held) throw new Error(`nothing held has the number "${which}": /held shows them`)
    return held
  }

  async resend(which: string): Promise<void> {
    await this.#heldAt(which).resend()
  }

  async discard(which: string): Promise<void> {
    await this.#heldAt(which).discard()
  }

  async goOffline(): Promise<void> {
    await this.#client.goOffline()
  }

  async goOnline(): Promise<void> {
    await this.#client.goOnline()
  }

  help(): void {
    const width = Math.max(...Object.values(COMMANDS).map(({ usage }) => usage.length))
    for (const { usage, help } of Object.values(COMMANDS))
      this.#terminal.print(`  ${usage.padEnd(width)}  ${help}`)
  }
}

function title(conversation: Conversation): string {
  return conversation.friendlyName ?? conversation.uniqueName ?? conversation.sid
}

function summary(one: { operation: { type: string; body?: string } }): string {
  return one.operation.body === undefined
    ? one.operation.type
    : `${one.operation.type} "${one.operation.body}"`
}
