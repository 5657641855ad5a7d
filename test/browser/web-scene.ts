/** A week in a harbour, for whoever looks at the app: several languages, several days, and every mark that there is. */
import { Client, type Conversation, memory } from '../../packages/client/src/index.ts'
import { tokenFor, type WebStage } from './web-people.ts'

const DAY = 24 * 60 * 60 * 1000

/** Sets the clock of this process; null: the real one. */
export type SetClock = (at: Date | null) => void

/** What happened before alice opens the app. */
export async function play(stage: WebStage, setClock: SetClock): Promise<void> {
  const at = (days: number, hour: number, minute = 0) => {
    const day = new Date(Date.now() - days * DAY)
    day.setHours(hour, minute, 0, 0)
    return day
  }
  const stores = new Map(['alice', 'bob', 'carol'].map((name) => [name, memory()]))
  const arrive = async (name: string): Promise<Client> =>
    Client.create(await tokenFor(name), {
      url: stage.relay.url,
      storage: stores.get(name) ?? memory(),
      logLevel: 'silent',
    })

  const [alice, bob, carol] = [await arrive('alice'), await arrive('bob'), await arrive('carol')]
  await bob.user.updateFriendlyName('Bob Sørensen')
  await carol.user.updateFriendlyName('Carol Okafor')
  const crew = await alice.createConversation({ friendlyName: 'Harbour crew' })
  await crew.join()
  await crew.add('bob')
  await crew.add('carol')
  await crew.addNonChatParticipant('+15550001111', '+15550002222')
  await crew.sendMessage(
    'The crane on pier 4 is stuck again. Can somebody look at it before the Bergen ferry?',
  )
  const [inBob, inCarol] = [await joined(bob, 'Harbour crew'), await joined(carol, 'Harbour crew')]
  await inBob.sendMessage('On my way, the manual is at https://example.org/crane')
  await inCarol.sendMessage('Take the long ladder')
  // written with no network, and delivered days later
  await bob.goOffline()
  setClock(at(3, 16, 20))
  await inBob.sendMessage('No signal down in the hold. It was the hydraulic valve, replaced it')
  setClock(null)
  for (const [name, line] of [
    ['港の天気', '明日は風が強いそうです。船は十時まで出ません。'],
    ['فريق الميناء', 'صباح الخير، هل وصلت السفينة؟ 🚢'],
    ['Lighthouse', 'The lamp is clean 🔦'],
  ] as const) {
    const other = await carol.createConversation({ friendlyName: name })
    await other.join()
    await other.add('alice')
    await other.sendMessage(line)
  }
  await bob.goOnline()
  await settled(bob)
  await seen(crew, 'hydraulic')
  const valve = (await crew.getMessages(10)).items.find(({ body }) => body?.includes('hydraulic'))
  await crew.sendMessage('You saved the day', valve ? { replyTo: valve.sid } : {})
  await valve?.updateAttributes({ reactions: { '👍': ['alice', 'carol'], '🎉': ['carol'] } })
  await (await joined(carol, 'Harbour crew')).sendMessage('🎉🎉')
  await crew.setAllMessagesRead()
  await (await joined(bob, 'Harbour crew')).setAllMessagesRead()
  const rota = await carol.createConversation({ friendlyName: 'Night shift' })
  await rota.join()
  await rota.add('alice')
  for (const line of ['Who takes Friday?', 'I can do until midnight', 'Anyone?']) await rota.sendMessage(line)
  await (await joined(carol, 'Harbour crew')).sendMessage('Coffee at the office in ten minutes ☕')
  for (const client of [alice, bob, carol]) await settled(client)
  await leave(alice, bob, carol)
}

const leave = (...clients: Client[]) => Promise.all(clients.map((client) => client.shutdown()))

async function joined(client: Client, name: string): Promise<Conversation> {
  const find = async () =>
    (await client.getSubscribedConversations()).items.find((one) => one.friendlyName === name)
  const known = await find()
  if (known) return known
  return new Promise((resolve) => {
    client.on('conversationJoined', (one) => {
      if (one.friendlyName === name) resolve(one)
    })
  })
}

/** Waits for a message with these words. */
async function seen(conversation: Conversation, words: string): Promise<void> {
  const { items } = await conversation.getMessages(30)
  if (items.some(({ body }) => body?.includes(words))) return
  await new Promise<void>((resolve) => {
    conversation.on('messageAdded', ({ body }) => {
      if (body?.includes(words)) resolve()
    })
  })
}

/** Everything of this device has come to the relay. */
async function settled(client: Client): Promise<void> {
  if (client.getPendingOperations().length === 0) return
  await new Promise<void>((resolve) => {
    client.on('operationsChanged', () => {
      if (client.getPendingOperations().length === 0) resolve()
    })
  })
}
