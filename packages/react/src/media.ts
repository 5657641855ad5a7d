import type { Media, Message, UploadState } from '@confab/client'
import { useEffect, useState } from 'react'
import { useMaybeClient } from './provider.ts'
import { cached, listen, Source, useSource } from './source.ts'

class UploadSource extends Source<UploadState | null> {
  readonly #message: Message

  constructor(message: Message) {
    super(message.upload)
    this.#message = message
  }

  protected attach(): () => void {
    const tell = () => this.set(this.#message.upload)
    tell()
    return listen(this.#message, { uploadProgress: tell })
  }
}

const sourceOf = cached((message: Message) => new UploadSource(message))

/** How far the attachments of a message are, while they are on their way from this device; null otherwise. */
export function useUpload(message: Message | null | undefined): UploadState | null {
  return useSource(message ? sourceOf(message) : null, null)
}

/** What `useMedia` shows. */
export interface ShownMedia {
  /** Where the content can be read; null until it is known. */
  readonly url: string | null
  /** A small picture to draw until then; null when there is none. */
  readonly placeholder: string | null
  /** Why it can't be had now: it is tried again when there is a connection. */
  readonly error: Error | null
}

const NOTHING: ShownMedia = { url: null, placeholder: null, error: null }

/** An attachment, to be drawn: its address, asked for while it is rendered. */
export function useMedia(media: Media | null | undefined): ShownMedia {
  const client = useMaybeClient()
  const [shown, show] = useState(NOTHING)
  // each look at a message makes other objects of the same attachments
  const sid = media?.sid
  // biome-ignore lint/correctness/useExhaustiveDependencies: the sid says which it is
  useEffect(() => {
    show(NOTHING)
    if (!client || !media) return
    return follow(client, media, (more) => show((before) => ({ ...before, ...more })))
  }, [client, sid])
  return shown
}

function follow(
  client: NonNullable<ReturnType<typeof useMaybeClient>>,
  media: Media,
  show: (more: Partial<ShownMedia>) => void,
): () => void {
  let ended = false
  let isThere = false
  let asking: ReturnType<Media['getContentTemporaryUrl']> | null = null
  const tell = (more: Partial<ShownMedia>) => {
    if (!ended) show(more)
  }
  const ask = () => {
    if (isThere || asking) return
    asking = media.getContentTemporaryUrl()
    asking.then(
      (url) => {
        isThere = true
        tell({ url, error: null })
      },
      (error: Error) => {
        asking = null
        tell({ error })
      },
    )
  }
  ask()
  // it is drawn or not: nobody can do anything about it
  media.getPlaceholderUrl().then(
    (placeholder) => tell({ placeholder }),
    () => {},
  )
  const stop = listen(client, {
    connectionStateChanged: () => {
      if (client.connectionState === 'connected') ask()
    },
  })
  return () => {
    ended = true
    stop()
    if (!isThere) asking?.cancel()
  }
}
