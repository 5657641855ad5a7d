/** Dovecot, the IMAP server of Debian (package `dovecot-imapd`): one mailbox, in a folder and at a port of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort, greets } from './servers.ts'

export const PASSWORD = 'open-sesame'

/** Mail of the superuser is none of Dovecot's: then it is nobody's. */
const NOBODY = 65534

export class Dovecot {
  readonly port: number
  /** With TLS from the start; 0 without. */
  readonly tlsPort: number
  /** PEM of its certificate, which is its own authority. */
  readonly certificate: string
  readonly #folder: string
  #process: ChildProcess
  #count = 0

  private constructor(
    folder: string,
    [port, tlsPort]: [number, number],
    certificate: string,
    child: ChildProcess,
  ) {
    this.#folder = folder
    this.port = port
    this.tlsPort = tlsPort
    this.certificate = certificate
    this.#process = child
  }

  /** @param options.tls STARTTLS at `port`, which a login needs, and TLS at `tlsPort` */
  static async start({ tls = false } = {}): Promise<Dovecot> {
    const folder = await mkdtemp(join(tmpdir(), 'confab-dovecot-'))
    const port = await freePort()
    const tlsPort = tls ? await freePort() : 0
    const certificate = tls ? certify(folder) : ''
    const { uid, gid, username } = userInfo()
    const [owner, group] = uid === 0 ? [NOBODY, NOBODY] : [uid, gid]
    for (const name of ['', 'mail', 'mail/new', 'mail/cur', 'mail/tmp']) {
      await mkdir(join(folder, name), { recursive: true })
      await chown(join(folder, name), owner, group)
    }
    const internal = uid === 0 ? 'nobody' : username
    await writeFile(
      join(folder, 'dovecot.conf'),
      `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
protocols = imap
listen = 127.0.0.1
${tls ? `ssl = yes\nssl_cert = <${folder}/cert.pem\nssl_key = <${folder}/key.pem` : 'ssl = no'}
disable_plaintext_auth = ${tls ? 'yes' : 'no'}
default_internal_user = ${internal}
default_internal_group = ${spawnSync('id', ['-gn', internal]).stdout.toString().trim()}
default_login_user = ${internal}
first_valid_uid = 1
mail_location = maildir:${folder}/mail
passdb {
  driver = static
  args = password=${PASSWORD}
}
userdb {
  driver = static
  args = uid=${owner} gid=${group} home=${folder}
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = ${tlsPort}
  }
}
service anvil {
  chroot =
}
`,
    )
    const dovecot = new Dovecot(folder, [port, tlsPort], certificate, run(folder))
    await dovecot.#listens()
    return dovecot
  }

  /** Where its maildir is, and whose. */
  get maildir(): string {
    return join(this.#folder, 'mail')
  }

  /** A mail server delivers a mail into the mailbox (maildir: written aside, then moved). */
  async deliver(mail: string): Promise<void> {
    const name = `${Date.now()}.${++this.#count}.confab`
    const aside = join(this.#folder, 'mail/tmp', name)
    await writeFile(aside, mail.replace(/\r?\n/g, '\r\n'))
    await chmod(aside, 0o644)
    await rename(aside, join(this.#folder, 'mail/new', name))
  }

  /** Maildir flags of the mails that have any, in order: `S` for seen, `F` for flagged. */
  async flags(): Promise<string[]> {
    const names = await readdir(join(this.#folder, 'mail/cur'))
    return names
      .sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]))
      .map((name) => name.split(':2,')[1] ?? '')
  }

  async restart(): Promise<void> {
    await this.#end()
    this.#process = run(this.#folder)
    await this.#listens()
  }

  async stop(): Promise<void> {
    await this.#end()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await gone
  }

  async #listens(): Promise<void> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error('Dovecot ended: see its messages above')
      if (await greets(this.port)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

const run = (folder: string): ChildProcess =>
  spawn('dovecot', ['-F', '-c', join(folder, 'dovecot.conf')], { stdio: ['ignore', 'ignore', 'inherit'] })

/** A certificate for `localhost` and 127.0.0.1, signed by itself. */
function certify(folder: string): string {
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem'), '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ])
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`)
  return readFileSync(join(folder, 'cert.pem'), 'utf8')
}
