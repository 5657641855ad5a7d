/** What a load is made for: Confab's relay, and the servers that people compare it with. */
import type { Connection } from './connection.ts'
import { confab, hocuspocus, ws, yWebsocket } from './speakers.ts'

export interface Target {
  /** How its rows are called. */
  readonly name: string
  /** The program that runs it (`servers/`), started in a folder of its own. */
  readonly server: URL
  /** Keeps what it is told. */
  readonly hasStore: boolean
  /**
   * Resolves when the document is open.
   * @param arrived told of posts from the first message on
   */
  connect(url: string, document: string, who: Who, arrived?: Arrived): Promise<Connection>
}

/** Called with the numbers of the posts in a message. */
export type Arrived = (numbers: number[]) => void

/** One member of one conversation. */
export interface Who {
  conversation: number
  member: number
}

const server = (name: string): URL => new URL(`./servers/${name}.ts`, import.meta.url)

export const CONFAB: Target = { name: 'Confab', server: server('confab'), connect: confab, hasStore: true }

/** They are installed by `--peers`. */
export const PEERS: readonly Target[] = [
  { name: 'hocuspocus + SQLite', server: server('hocuspocus'), connect: hocuspocus, hasStore: true },
  { name: 'y-websocket 2 + leveldb', server: server('y-websocket'), connect: yWebsocket, hasStore: true },
  { name: 'bare `ws`, batched, no store', server: server('ws'), connect: ws, hasStore: false },
]
