/**
 * One exported file, with the attachments beside it, brought to wherever it is taken: piece by piece, each of which may
 * be brought again.
 */
import { openAsBlob } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { MediaRecord } from '@confab/core'
import { type Exported, piecesOf, readExported } from './exported.ts'
import type { Attached, Taken } from './import.ts'

/** Where it is taken: a relay over the network, or a database here. */
export interface ImportTarget {
  take(piece: Exported): Promise<Taken>
  /** False: its content is there. */
  attach(conversationSid: string, attached: Attached, content: Blob): Promise<boolean>
  close(): Promise<void>
}

export interface Report {
  conversationSid: string
  messages: number
  attachments: number
  warnings: string[]
}

/**
 * @param progress told after each piece of several
 * @throws Error when the file is malformed, before anything is taken, and ConfabError with what the target has against it
 */
export async function importFile(
  target: ImportTarget,
  file: string,
  progress: (done: number, all: number) => void,
): Promise<Report> {
  const exported = readExported(await readFile(file, 'utf8'))
  const folder = join(dirname(file), 'attachments')
  const files = await namesIn(folder)
  const { sid: conversationSid } = exported.record
  const report: Report = { conversationSid, messages: 0, attachments: 0, warnings: [] }
  if (exported.unseen > 0)
    report.warnings.push(
      `${exported.unseen} messages are missing: the device that exported it did not have them`,
    )
  let done = 0
  let absent = 0
  for (const piece of piecesOf(exported)) {
    const { messages, missing, warnings } = await target.take(piece)
    report.messages += messages
    report.warnings.push(...warnings)
    for (const attached of missing) {
      const name = nameOf(piece, attached, files)
      if (name === undefined) absent++
      else await attach(target, conversationSid, attached, join(folder, name), report)
    }
    done += piece.messages.length
    progress(done, exported.messages.length)
  }
  if (absent > 0)
    report.warnings.push(
      `${absent} attachments are named whose content is not beside it (confab export --attachments)`,
    )
  return report
}

async function attach(
  target: ImportTarget,
  conversationSid: string,
  attached: Attached,
  file: string,
  report: Report,
): Promise<void> {
  try {
    if (await target.attach(conversationSid, attached, await openAsBlob(file))) report.attachments++
  } catch (error) {
    // the message stays, and the others go on
    if (!isAboutContent(error)) throw error
    report.warnings.push(`${file} stays out: ${(error as Error).message}`)
  }
}

/** What is wrong with this content alone: its hash, its size, its type, or that another message has its sid. */
const ABOUT_CONTENT: ReadonlySet<unknown> = new Set([20404, 70105, 70607, 70608, 70609])
const isAboutContent = (error: unknown): boolean => ABOUT_CONTENT.has((error as { code?: unknown }).code)

/** By what an export calls them: index, dash, place among the message's attachments. */
async function namesIn(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch(() => [])
  return new Map(names.map((name) => [name.slice(0, name.indexOf(' ')), name]))
}

function nameOf(
  { messages }: Exported,
  { messageSid, mediaSid }: Attached,
  files: Map<string, string>,
): string | undefined {
  const message = messages.find(({ sid }) => sid === messageSid)
  const at = message?.media?.findIndex(({ sid }: MediaRecord) => sid === mediaSid) ?? -1
  return files.get(`${message?.index}-${at + 1}`)
}
