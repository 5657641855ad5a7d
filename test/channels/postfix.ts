/** Postfix, the mail server of Debian (package `postfix`): a whole one in a folder and at a port of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, greets } from './servers.ts'

export interface Routes {
  /** Where mail for relay.test goes: to the relay's SMTP at a port, or into a maildir. */
  relay: { port: number } | { maildir: string }
  /** Where mail for gone.test goes: to an SMTP server at this port. */
  gone?: number
}

/** Who owns mail that is delivered here: nobody. */
const NOBODY = 65534

export class Postfix {
  readonly port: number
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(folder: string, port: number, child: ChildProcess) {
    this.#folder = folder
    this.port = port
    this.#process = child
  }

  /** People of people.test have mailboxes here: eve alone. */
  static async start({ relay, gone }: Routes): Promise<Postfix> {
    const folder = await mkdtemp(join(tmpdir(), 'confab-postfix-'))
    await chmod(folder, 0o755)
    const port = await freePort()
    for (const name of ['queue', 'data', 'mail']) await mkdir(join(folder, name))
    const id = (name: string) => Number(spawnSync('id', ['-u', name]).stdout.toString())
    await chown(join(folder, 'data'), id('postfix'), NOBODY)
    await chown(join(folder, 'mail'), NOBODY, NOBODY)
    const boxes = 'maildir' in relay ? `support@relay.test=${relay.maildir}/` : ''
    const domains = ['people.test', ...('maildir' in relay ? ['relay.test'] : [])]
    const transports = [
      ...(gone === undefined ? [] : [`gone.test=smtp:[127.0.0.1]:${gone}`]),
      ...('port' in relay ? [`relay.test=smtp:[127.0.0.1]:${relay.port}`] : []),
    ]
    const inline = (pairs: string[]) =>
      pairs
        .filter(Boolean)
        .map((pair) => `{ ${pair.replace('=', ' = ')} }`)
        .join(', ')
    await writeFile(
      join(folder, 'main.cf'),
      `
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.people.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
recipient_delimiter = +
relay_domains = ${'port' in relay ? 'relay.test, ' : ''}gone.test
transport_maps =${transports.length === 0 ? '' : ` inline:{ ${inline(transports)} }`}
virtual_mailbox_base = /
virtual_mailbox_domains = ${domains.join(', ')}
virtual_mailbox_maps = inline:{ ${inline([`eve@people.test=${folder}/mail/eve/`, boxes])} }
virtual_minimum_uid = 1
virtual_uid_maps = static:${NOBODY}
virtual_gid_maps = static:${NOBODY}
maillog_file = ${folder}/log
maillog_file_prefixes = /var, ${folder}
smtputf8_enable = yes
minimal_backoff_time = 1s
queue_run_delay = 1s
`,
    )
    await writeFile(
      join(folder, 'master.cf'),
      [
        `127.0.0.1:${port} inet n - n - - smtpd`,
        'pickup unix n - n 60 1 pickup',
        'cleanup unix n - n - 0 cleanup',
        'qmgr unix n - n 300 1 qmgr',
        'rewrite unix - - n - - trivial-rewrite',
        'bounce unix - - n - 0 bounce',
        'defer unix - - n - 0 bounce',
        'trace unix - - n - 0 bounce',
        'verify unix - - n - 1 verify',
        'proxymap unix - - n - - proxymap',
        'smtp unix - - n - - smtp',
        'relay unix - - n - - smtp',
        'error unix - - n - - error',
        'retry unix - - n - - error',
        'virtual unix - n n - - virtual',
        'anvil unix - - n - 1 anvil',
        'scache unix - - n - 1 scache',
        'showq unix n - n - - showq',
        'postlog unix-dgram n - n - 1 postlogd',
        '',
      ].join('\n'),
    )
    const child = spawn('postfix', ['-c', folder, 'start-fg'], { stdio: ['ignore', 'ignore', 'ignore'] })
    const postfix = new Postfix(folder, port, child)
    await postfix.#listens()
    return postfix
  }

  /** Mails that eve has, in the order of their coming. */
  async mails(): Promise<string[]> {
    const box = join(this.#folder, 'mail/eve/new')
    const names = await readdir(box).catch(() => [])
    return Promise.all(names.sort().map((name) => readFile(join(box, name), 'utf8')))
  }

  async log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8').catch(() => '')
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit')
      spawnSync('postfix', ['-c', this.#folder, 'stop'])
      await gone
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #listens(): Promise<void> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`Postfix ended: ${await this.log()}`)
      if (await greets(this.port)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
