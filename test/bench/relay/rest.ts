/** What a message that is posted by the REST API costs a whole relay. */
import { Agent, request } from 'node:http'
import { type Row, rowsOf, type Scenario } from '../scenario.ts'
import { ACCOUNT, AUTH_TOKEN, bodyOf } from './load.ts'
import { type ServerProcess, withFolder, withServer } from './process.ts'
import { CONFAB } from './targets.ts'

export const name = 'rest'
export const title = 'Posts by the REST API'
export const how =
  'A whole relay on a SQLite file, in a process of its own; 20 kept connections from another, each posting the next message as soon as the last one is answered, which is when it is on disk. Nobody listens. A quarter of the posts goes ahead unmeasured.'

const CONNECTIONS = 20
const MESSAGES = 4000

export const run: Scenario['run'] = async (runs) => {
  const rows: Row[] = []
  for (const conversations of [1, 20]) {
    const spread = conversations === 1 ? 'into one conversation' : `into ${conversations} conversations`
    rows.push(
      ...(await rowsOf(
        runs,
        {
          cpu: [`CPU a message, ${spread}`, 'µs'],
          rate: [`messages, ${spread}`, 'a second'],
          p50: [`an answer comes, ${spread}, p50`, 'ms'],
          p99: [`an answer comes, ${spread}, p99`, 'ms'],
        },
        () => measured(conversations),
      )),
    )
  }
  return rows
}

const measured = (conversations: number) =>
  withFolder((folder) =>
    withServer(CONFAB, { folder, make: { conversations, members: 1 } }, async (server) => {
      const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
      await posted(server, agent, MESSAGES / 4)
      const before = await server.usage()
      const began = performance.now()
      const times = await posted(server, agent, MESSAGES)
      const took = performance.now() - began
      const { cpu } = await server.usage()
      agent.destroy()
      const at = (part: number) => times[Math.floor(times.length * part)] as number
      return {
        cpu: (cpu - before.cpu) / MESSAGES,
        rate: MESSAGES / (took / 1000),
        p50: at(0.5),
        p99: at(0.99),
      }
    }),
  )

/** Milliseconds of each answer, ascending. */
async function posted(server: ServerProcess, agent: Agent, count: number): Promise<number[]> {
  const times: number[] = []
  let next = 0
  const connection = async () => {
    while (next < count) {
      const i = next++
      const began = performance.now()
      const sid = server.documents[i % server.documents.length]
      await post(server, agent, `/v1/Conversations/${sid}/Messages`, bodyOf(i))
      times.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  return times.sort((a, b) => a - b)
}

function post({ url }: ServerProcess, agent: Agent, path: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, url.replace(/^ws/, 'http')),
      {
        agent,
        method: 'POST',
        auth: `${ACCOUNT}:${AUTH_TOKEN}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
      (response) => {
        response.resume()
        response.once('end', () =>
          response.statusCode === 201
            ? resolve()
            : reject(new Error(`a post was answered with ${response.statusCode}`)),
        )
      },
    )
    asked.once('error', reject)
    asked.end(new URLSearchParams({ Author: 'server', Body: body }).toString())
  })
}
