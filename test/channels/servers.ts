/**
 * Servers of Debian's that tests of channels run against. Where one is missing its tests are skipped and say so;
 * with CONFAB_REQUIRE_SERVERS=1 they fail, unless CONFAB_MISSING_SERVERS names it: what could not be installed.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { userInfo } from 'node:os'

const SERVERS = {
  dovecot: { debian: 'dovecot-imapd', isHere: () => runs('dovecot', '--version') },
  postfix: { debian: 'postfix', isHere: () => userInfo().uid === 0 && runs('postconf', 'mail_version') },
  'net-smpp': { debian: 'libnet-smpp-perl', isHere: () => runs('perl', '-MNet::SMPP', '-e', '1') },
} as const

const runs = (program: string, ...args: string[]) => spawnSync(program, args).status === 0

/** Whether it is here. @throws when it isn't and must be */
export function hasServer(name: keyof typeof SERVERS): boolean {
  const { debian, isHere } = SERVERS[name]
  if (isHere()) return true
  const isExcused = process.env.CONFAB_MISSING_SERVERS?.split(' ').includes(name)
  const problem = `there is no ${name} that can be run (Debian: ${debian}; Postfix by root alone)`
  if (process.env.CONFAB_REQUIRE_SERVERS === '1' && !isExcused) throw new Error(problem)
  console.warn(`SKIPPED: ${problem}`)
  return false
}

/** A port of this machine that nothing listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether a server at this port says something to whoever connects. */
export async function greets(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    })
  } finally {
    socket.destroy()
  }
}
