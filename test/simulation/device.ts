/** A person's device: a disk, a way to the relay, and one or more tabs that share both. */
import { createEngine } from '../../packages/client/src/engine/create.ts'
import type { Engine, EngineEvents, MessageView } from '../../packages/client/src/engine/engine.ts'
import { Disk } from './disk.ts'
import { Link } from './link.ts'
import { Porter } from './porter.ts'
import type { World } from './world.ts'

/**
 * What an app shows that does what real ones do: reads a conversation once when it is joined, and listens from
 * then on. It must end up showing what reading shows.
 */
export class Screen {
  readonly conversations = new Map<string, Shown>()
  readonly mistakes: string[] = []

  joined(engine: Engine, sid: string): void {
    const shown: Shown = { messages: new Map(), removed: new Set() }
    this.conversations.set(sid, shown)
    void this.#read(engine, sid, shown)
  }

  async #read(engine: Engine, sid: string, shown: Shown): Promise<void> {
    let anchor: number | undefined
    try {
      while (true) {
        const page = await engine.messages(sid, { count: 30, anchor, direction: 'backwards' })
        for (const message of page.items) {
          const { record } = message
          if (!shown.messages.has(record.sid) && !shown.removed.has(record.sid))
            shown.messages.set(record.sid, message)
        }
        const oldest = page.items[0]
        if (!page.hasOlder || !oldest) return
        anchor = oldest.record.index - 1
      }
    } catch {
      // left meanwhile, or shut down: nothing is shown any more
    }
  }

  shown(sid: string, event: string): Shown {
    const shown = this.conversations.get(sid)
    if (shown) return shown
    this.mistakes.push(`${event} in ${sid}, in which this app doesn't take part`)
    return { messages: new Map(), removed: new Set() }
  }
}

interface Shown {
  /** By sid. */
  messages: Map<string, MessageView>
  removed: Set<string>
}

export interface Tab {
  readonly engine: Engine
  readonly screen: Screen
  crash(): void
}

export class Device {
  readonly world: World
  readonly identity: string
  readonly name: string
  readonly disk: Disk
  readonly link: Link
  readonly tabs: Tab[] = []
  /** Tabs on their way. */
  opening = 0
  #tokens = true

  constructor(world: World, identity: string, name: string) {
    this.world = world
    this.identity = identity
    this.name = name
    this.disk = new Disk(world.time, world.random)
    this.link = new Link(world, identity)
  }

  /** Opens a tab, which is there once its store is: the disk takes a moment. */
  openTab(): void {
    const { world } = this
    const screen = new Screen()
    const { storage, crash } = this.disk.process()
    const engine = createEngine({
      url: 'ws://simulated',
      token: async () => {
        if (!this.#tokens) throw new Error('the token server is out of reach')
        return world.mintToken(this.identity)
      },
      identity: this.identity,
      storage,
      transport: this.link.factory,
      log: () => {},
      platform: {
        now: world.time.now,
        random: (count: number) => world.random.bytes(count),
        setTimeout: world.time.setTimeout,
        clearTimeout: world.time.clearTimeout,
        macrotask: world.time.macrotask,
      },
    })
    const tab: Tab = {
      engine,
      screen,
      crash: () => {
        crash()
        this.tabs.splice(this.tabs.indexOf(tab), 1)
        // the process is gone: its connection with it
        void engine.shutdown().catch(() => {})
      },
    }
    this.opening++
    engine.start(this.#listen(screen, engine))
    engine.ready
      .then(
        () => {
          this.tabs.push(tab)
          const porter = new Porter(world, engine, this.identity, () => this.tabs.includes(tab))
          engine.local.attachments.work(porter)
          porter.look()
        },
        (error: unknown) => this.world.failures.push(`${this.name} can't open its store: ${error}`),
      )
      .finally(() => this.opening--)
  }

  #listen(screen: Screen, engine: Engine): EngineEvents {
    const nothing = () => {}
    return {
      connectionStateChanged: nothing,
      connectionError: nothing,
      initialized: nothing,
      initFailed: (error) => this.world.failures.push(`${this.name}: ${error.message}`),
      tokenAboutToExpire: nothing,
      tokenExpired: nothing,
      userUpdated: nothing,
      conversationAdded: nothing,
      conversationJoined: (view) => screen.joined(engine, view.sid),
      conversationUpdated: nothing,
      conversationLeft: (view) => void screen.conversations.delete(view.sid),
      conversationRemoved: nothing,
      participantJoined: nothing,
      participantUpdated: nothing,
      participantLeft: nothing,
      messageAdded: (sid, message) => {
        const { messages, removed } = screen.shown(sid, 'messageAdded')
        messages.set(message.record.sid, message)
        removed.delete(message.record.sid)
      },
      messageUpdated: (sid, message) => {
        screen.shown(sid, 'messageUpdated').messages.set(message.record.sid, message)
      },
      messageRemoved: (sid, message) => {
        const { messages, removed } = screen.shown(sid, 'messageRemoved')
        const known = messages.get(message.record.sid)
        if (known && known.record.index !== message.record.index) {
          const { sid: which, index } = message.record
          screen.mistakes.push(`messageRemoved for ${which} at ${index}, shown at ${known.record.index}`)
        }
        messages.delete(message.record.sid)
        removed.add(message.record.sid)
      },
      typingStarted: nothing,
      typingEnded: nothing,
      operationRefused: nothing,
      operationsChanged: nothing,
    }
  }

  setTokens(available: boolean): void {
    this.#tokens = available
  }

  heal(): void {
    this.#tokens = true
    this.link.setReachable(true)
    for (const { engine } of this.tabs) void engine.goOnline()
  }

  async shutdown(): Promise<void> {
    for (const { engine } of this.tabs) {
      let done = false
      engine.shutdown().finally(() => {
        done = true
      })
      while (!done && (await this.world.time.step())) {
        // the disk takes its time
      }
    }
  }
}
