/** `confab channels`: looks at, and tries, the channels that a file describes, without a relay. */
import { ConfabError, uuidV7 } from '@confab/core'
import { type Command, Option } from 'commander'
import type { Channel, ChannelEvents } from '../channels/channel.ts'

const FILE = new Option('-c, --channels <file>', 'the file that describes them')
  .env('CONFAB_CHANNELS')
  .default('channels.json')

/** Milliseconds that a channel may take to connect. */
const CONNECTING = 15_000

/** Adds the `channels` commands to the program. */
export function registerChannels(program: Command): void {
  const channels = program
    .command('channels')
    .description('look at and try the channels (SMS, WhatsApp, e-mail) of a relay')
  channels
    .command('list')
    .description('say which channels the file describes, and whether each can connect')
    .addOption(FILE)
    .action(list)
  channels
    .command('test')
    .description('send one message by a channel, outside of any conversation')
    .argument('<channel>', "the channel's name, or its type: sms, whatsapp, email")
    .argument('<address>', 'whom to: +15550001111, whatsapp:+15550001111 or a mail address')
    .argument('<text>', 'what to say')
    .addOption(FILE)
    .option('--from <address>', "address of ours to send from; the channel's first by default")
    .action(test)
}

async function read(file: string): Promise<readonly Channel[]> {
  const { readChannels } = await import('../channels/configuration.ts')
  return readChannels(file, 'ACconfab', process.env).channels
}

async function list({ channels: file }: { channels: string }): Promise<void> {
  let isWell = true
  for (const channel of await read(file)) {
    const state = await whileStarted(channel, async () => {
      await connected(channel)
      return channel.status()
    })
    isWell &&= state.isConnected
    const sign = state.isConnected ? 'ok  ' : 'FAIL'
    console.log(`${sign} ${channel.name} (${channel.type}) ${channel.addresses.join(', ')}: ${state.detail}`)
  }
  if (!isWell) process.exitCode = 1
}

async function test(
  wanted: string,
  address: string,
  text: string,
  { channels: file, from }: { channels: string; from?: string },
): Promise<void> {
  const { normaliseAddress } = await import('../address.ts')
  const to = normaliseAddress(address)
  if (to === null)
    throw new ConfabError(50407, `${address} is neither a number in E.164 form nor a mail address`)
  const all = await read(file)
  const channel = all.find(({ name, type }) => name === wanted || type === wanted)
  if (!channel) {
    const names = all.map(({ name, type }) => `${name} (${type})`).join(', ')
    throw new ConfabError(20001, `${file} describes no channel ${wanted}: there are ${names}`)
  }
  const sender = from ?? channel.addresses[0]
  if (sender === undefined || !channel.addresses.includes(sender)) {
    throw new ConfabError(20001, `${channel.name} sends from ${channel.addresses.join(', ')}`)
  }
  const id = uuidV7(Date.now(), (bytes) => crypto.getRandomValues(new Uint8Array(bytes)))
  const { channelMessageSid } = await whileStarted(channel, async () => {
    await connected(channel)
    return channel.send({
      idempotencyKey: id,
      from: sender,
      to,
      body: text,
      subject: 'A test of Confab',
      conversation: { sid: `CH${id}`, friendlyName: 'A test of Confab' },
      messageSid: `IM${id}`,
      participantSid: `MB${id}`,
      author: 'Confab',
    })
  })
  console.log(`${channel.name} took it as ${channelMessageSid}. Whether it arrives shows at the other end.`)
}

async function whileStarted<Result>(channel: Channel, work: () => Promise<Result>): Promise<Result> {
  const nothing = async () => {
    throw new ConfabError(70502, 'no relay is running')
  }
  const events: ChannelEvents = {
    received: nothing,
    reported: nothing,
    joined: nothing,
    joinedAndPosted: nothing,
    log: { info() {}, warn() {} },
  }
  await channel.start(events)
  try {
    return await work()
  } finally {
    await channel.stop()
  }
}

/** Resolves when the channel is connected, or isn't going to be soon. */
async function connected(channel: Channel): Promise<void> {
  const until = performance.now() + CONNECTING
  while (!channel.status().isConnected && performance.now() < until) {
    if (/refused the binding|no connection|no mailbox/.test(channel.status().detail)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
