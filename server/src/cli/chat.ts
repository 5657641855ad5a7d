/** `confab chat <identity>`: a plain terminal client, for trying a relay and for seeing what is pending. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'

interface ChatOptions {
  token?: string
  url: string
  store?: string
  with?: string
  offline?: boolean
}

/** Adds the `chat` command to the program. */
export function registerChat(program: Command): void {
  program
    .command('chat')
    .description('open a terminal chat as somebody; works with no network and catches up later')
    .argument('<identity>', 'who you are')
    .option('-u, --url <url>', "the relay's URL", process.env.CONFAB_URL ?? 'ws://127.0.0.1:4455')
    .option(
      '-t, --token <token>',
      'access token (or CONFAB_TOKEN); see: confab token --help',
      process.env.CONFAB_TOKEN,
    )
    .option('-s, --store <folder>', 'where conversations are kept', join(homedir(), '.confab', 'chat'))
    .option('-w, --with <identity>', 'start in a conversation with this person, made if there is none')
    .option('--offline', 'start without connecting; /online connects')
    .addHelpText('after', '\nInside the chat, /help lists the commands; anything else is posted.')
    .action(async (identity: string, options: ChatOptions) => {
      if (!options.token) {
        program.error(
          'error: a token is needed: --token <token>, or CONFAB_TOKEN. `confab token --help` tells how to make one.',
        )
        return
      }
      // the client is loaded only for this command: a relay doesn't need it
      const [{ Client, directory }, { ChatSession }, { openTerminal }] = await Promise.all([
        import('@confab/client'),
        import('./chat-session.ts'),
        import('./terminal.ts'),
      ])
      const terminal = openTerminal()
      const client = new Client(options.token, {
        url: options.url,
        storage: directory(options.store ?? '.confab'),
        identity,
      })
      const session = new ChatSession(client, terminal, { identity, with: options.with })
      const stop = () => session.quit()
      process.once('SIGINT', stop)
      process.once('SIGTERM', stop)
      try {
        if (options.offline) await client.goOffline()
        await session.run()
      } catch (error) {
        terminal.print(`! ${error instanceof Error ? error.message : String(error)}`)
        process.exitCode = 1
      } finally {
        await client.shutdown()
        terminal.close()
      }
    })
}
