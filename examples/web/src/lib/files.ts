/** Files that somebody adds to a message before it is sent. */
import type { Conversation, Message } from '@confab/client'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { bytesText, listText } from './format.ts'

/** What is attached, each with a key of its own: the same file may be there twice. */
export interface Chosen {
  key: number
  file: File
}

let keys = 0
export const chosen = (files: Iterable<File>): Chosen[] => [...files].map((file) => ({ key: keys++, file }))

/** Files of a paste or a drop. */
export const filesOf = (data: DataTransfer | null): File[] => [...(data?.files ?? [])]

// for as long as the page lives: whoever looks into another conversation finds them when they are back
const waiting = new Map<string, readonly Chosen[]>()
const watching = new Set<() => void>()
const NONE: readonly Chosen[] = []

function keep(sid: string, files: readonly Chosen[]): void {
  if (files.length > 0) waiting.set(sid, files)
  else waiting.delete(sid)
  for (const changed of watching) changed()
}

function watch(changed: () => void): () => void {
  watching.add(changed)
  return () => void watching.delete(changed)
}

/** What goes with the next message of a conversation, and how to change that. */
export function useChosen(sid: string): [readonly Chosen[], (files: readonly Chosen[]) => void] {
  const files = useSyncExternalStore(watch, () => waiting.get(sid) ?? NONE)
  return [files, (next) => keep(sid, next)]
}

/** Divides files into those that a message can take and those that are too large; says which these are. */
export function fitting(
  files: readonly File[],
  { mediaAttachmentSizeLimitInMb }: Conversation['limits'],
): { fit: File[]; problem: string | null } {
  const most = mediaAttachmentSizeLimitInMb * 2 ** 20
  const large = files.filter(({ size }) => size > most)
  if (large.length === 0) return { fit: [...files], problem: null }
  const names = listText(large.map(({ name }) => name))
  return {
    fit: files.filter((file) => !large.includes(file)),
    problem: `Too large to attach: ${names}. A file may have ${bytesText(most)} at most.`,
  }
}

/** Sends a message with attachments. Resolves when all of it is on this device's disk. */
export async function sendFiles(
  conversation: Conversation,
  { body, attributes, files }: { body: string; attributes: Message['attributes']; files: readonly Chosen[] },
): Promise<void> {
  const builder = conversation.prepareMessage().setAttributes(attributes)
  if (body !== '') builder.setBody(body)
  for (const { file } of files) {
    const contentType = file.type || 'application/octet-stream'
    builder.addMedia({ contentType, filename: file.name, media: file })
  }
  await builder.build().send()
}

/** An address of a file that was chosen, to draw it; null for what isn't a picture. */
export function usePreview({ file }: Chosen): string | null {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    if (!/^image\/(png|jpeg|gif|webp|avif)$/.test(file.type)) return
    const made = URL.createObjectURL(file)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [file])
  return url
}
