/** The report of one person on this device: what everybody observed, as far as it is here, and what waits. */
import { Client, type Conversation, type HeldOperation, type Message } from '@confab/client'
import { type Observation, observationOf, sentenceOf } from './observation.ts'

export interface Entry {
  message: Message
  observation: Observation
}

export class Report {
  readonly client: Client
  readonly #conversation: Conversation
  readonly #messages = new Map<string, Message>()

  private constructor(client: Client, conversation: Conversation) {
    this.client = client
    this.#conversation = conversation
  }

  /**
   * Opens the report and takes part in it, with or without a network; the first time on a device needs one.
   * @param invite what stands behind the `#` of the address
   * @param changed is called whenever there is something else to be shown
   */
  static async open(identity: string, invite: string, changed: () => void): Promise<Report> {
    const client = new Client(() => tokenFor(identity), { url: location.origin, identity })
    try {
      const report = new Report(client, await client.joinByInvite(invite))
      await report.#follow(changed)
      return report
    } catch (error) {
      await client.shutdown()
      throw error
    }
  }

  get entries(): Entry[] {
    const entries = [...this.#messages.values()].flatMap((message) => {
      const observation = observationOf(message)
      return observation ? [{ message, observation }] : []
    })
    return entries.sort((a, b) => +a.message.dateWritten - +b.message.dateWritten)
  }

  get waiting(): number {
    return this.client.getPendingOperations().length
  }

  get held(): HeldOperation[] {
    return this.client.getHeldOperations()
  }

  async add(observation: Observation): Promise<void> {
    await this.#conversation.sendMessage(sentenceOf(observation), { ...observation })
  }

  /** What others correct meanwhile in other fields stays: attributes merge field by field. */
  async correct(message: Message, observation: Observation): Promise<void> {
    await message.updateAttributes({ ...observation })
  }

  async #follow(changed: () => void): Promise<void> {
    const keep = (message: Message) => {
      this.#messages.set(message.sid, message)
      changed()
    }
    this.#conversation.on('messageAdded', keep)
    this.#conversation.on('messageUpdated', ({ message }) => keep(message))
    this.#conversation.on('messageRemoved', ({ sid }) => {
      this.#messages.delete(sid)
      changed()
    })
    this.client.on('operationsChanged', changed)
    this.client.on('connectionStateChanged', changed)
    let page = await this.#conversation.getMessages(100)
    for (;;) {
      for (const message of page.items) this.#messages.set(message.sid, message)
      if (!page.hasPrevPage) break
      page = await page.prevPage()
    }
    changed()
  }
}

/** This machine's relay gives one to anybody; an app asks its own server, which knows who asks. */
async function tokenFor(identity: string): Promise<string> {
  const response = await fetch(`/demo/token?identity=${encodeURIComponent(identity)}`)
  if (!response.ok) throw new Error(`There is no token: ${response.status}`)
  return (await response.json()).token
}
