/** What every server under test does beside serving: reads its task, says where it is, and what it has used. */

export interface Task {
  folder: string
  /** Conversations to be made; the ones that are there otherwise. */
  make?: { conversations: number; members: number }
  /** Those that are there, to be told again. */
  documents?: string[]
  /** Messages that each of those gets before they are served, as if they had been posted one by one. */
  fill?: number
  /** Confab: messages leave the live document. On by default. */
  isSealing?: boolean
}

export interface Usage {
  /** Microseconds of CPU, user and system, since the start. */
  cpu: number
  /** Bytes of memory: what the process holds, and what its heap and its buffers use. */
  resident: number
  used: number
}

export const task = JSON.parse(process.argv[2] ?? '{}') as Task

/** Names of documents for servers that have no conversations. */
export const documentNames = ({ make }: Task): string[] =>
  Array.from({ length: make?.conversations ?? 0 }, (_, conversation) => `conversation-${conversation}`)

export function usage(collect: boolean): Usage {
  // twice: what the first one finalises is free only then
  if (collect) for (let i = 0; i < 2; i++) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { cpu: user + system, resident: rss, used: heapUsed + external }
}

/** Tells the load where it is; answers what it asks until it is ended. */
export function serving(url: string, documents: readonly string[]): void {
  process.on('message', ({ collect }: { collect: boolean }) => process.send?.(usage(collect)))
  process.on('SIGTERM', () => process.exit(0))
  // without a load there is nobody to serve
  process.on('disconnect', () => process.exit(0))
  process.send?.({ url, documents: task.documents ?? documents })
}
