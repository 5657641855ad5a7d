/** Files that somebody adds to a message before it is sent. */
import type { Conversation, Message } from '@confab/client'
import { useEffect, useState } from 'react'

/** What is attached, each with a key of its own: the same file may be there twice. */
export interface Chosen {
  key: number
  file: File
}

let keys = 0
export const chosen = (files: Iterable<File>): Chosen[] => [...files].map((file) => ({ key: keys++, file }))

/** Files of a paste or a drop. */
export const filesOf = (data: DataTransfer | null): File[] => [...(data?.files ?? [])]

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
