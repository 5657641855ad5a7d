/** `confab export <store>`: conversations of a client's store on disk as files, with no network. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Client, Conversation } from '@confab/client'
import { type Command, Option } from 'commander'

interface ExportOptions {
  all?: boolean
  format: 'jsonl' | 'markdown' | 'html'
  out: string
  attachments?: boolean
}

/** Adds the `export` command to the program. */
export function registerExport(program: Command): void {
  program
    .command('export')
    .description("write conversations of a client's store as files: what is on this device, with no network")
    .argument('<store>', 'the folder that was given to directory()')
    .argument('[conversation...]', 'sids; see --all')
    .option('-a, --all', 'all conversations')
    .addOption(
      new Option('-f, --format <format>', 'jsonl is what `confab import` takes; the others are for people')
        .choices(['jsonl', 'markdown', 'html'])
        .default('jsonl'),
    )
    .option('--attachments', 'with the attachments that are on this device: a folder for each conversation')
    .option('-o, --out <folder>', 'where to write them', '.')
    .addHelpText('after', '\nEnds with 1 when some message of a conversation is not on this device.')
    .action(async (store: string, sids: string[], options: ExportOptions) => {
      if (!options.all && sids.length === 0) return program.error('error: name conversations, or say --all')
      const { examineStores } = await import('@confab/client')
      const owners = (await examineStores(store)).flatMap(({ owner }) => owner ?? [])
      if (owners.length === 0) throw new Error(`${store} doesn't tell whose it is: see confab doctor`)
      const left = new Set(sids)
      for (const { relay, identity } of owners) {
        const client = await offline(store, relay, identity)
        try {
          for (const conversation of (await client.getSubscribedConversations()).items)
            if (left.delete(conversation.sid) || options.all) await write(conversation, options)
        } finally {
          await client.shutdown()
        }
      }
      if (left.size > 0) throw new Error(`There is no conversation ${[...left].join(', ')} in ${store}`)
    })
}

async function offline(store: string, url: string, identity: string): Promise<Client> {
  const { Client, directory } = await import('@confab/client')
  const token = () => Promise.reject(new Error('Nothing is asked of the relay'))
  const client = new Client(token, { url, identity, storage: directory(store), logLevel: 'silent' })
  await client.goOffline()
  return client
}

async function write(
  conversation: Conversation,
  { format, out, attachments = false }: ExportOptions,
): Promise<void> {
  const { blob, fileName, unseen, files } = await conversation.export({ format, files: attachments })
  const folder = attachments ? join(out, fileName.slice(0, fileName.lastIndexOf('.'))) : out
  await save(join(folder, fileName), blob)
  for (const one of files) await save(join(folder, one.name), one.blob)
  console.log(join(folder, fileName))
  for (const { from, to, messages } of unseen) {
    console.error(
      `confab: ${messages} messages of ${conversation.sid} (${from} to ${to}) are not on this device`,
    )
    process.exitCode = 1
  }
}

async function save(file: string, blob: Blob): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, Buffer.from(await blob.arrayBuffer()))
}
