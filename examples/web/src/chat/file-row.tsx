import type { CancellablePromise, Media } from '@confab/client'
import { useEffect, useRef, useState } from 'react'
import { Button } from 'react-aria-components'
import { bytesText } from '../lib/format.ts'
import { mediaName, saveAs } from '../lib/media.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'

/** A file by its name and size. It is fetched when somebody wants it, and not before; then it is kept here, too. */
export function FileRow({ media }: { media: Media }) {
  const { received, problem, save, cancel } = useSaving(media)
  const name = mediaName(media)
  const isBusy = received !== null
  return (
    <div className="file-row">
      <Icon name="file" size={28} />
      <span className="file-name">
        <b dir="auto">{name}</b>
        <small>
          {isBusy ? `${bytesText(received)} of ${bytesText(media.size)}` : (problem ?? bytesText(media.size))}
        </small>
        {isBusy && <progress value={received} max={media.size || 1} aria-label={`Fetched of ${name}`} />}
      </span>
      <Button
        className="round small"
        aria-label={isBusy ? `Stop fetching ${name}` : `Save ${name}`}
        onPress={isBusy ? cancel : save}
      >
        <Icon name={isBusy ? 'close' : 'down'} size={18} />
      </Button>
    </div>
  )
}

/** Fetches an attachment and has the browser save it. `received`: bytes while it is coming, null otherwise. */
function useSaving(media: Media) {
  const { report } = useSession()
  const [received, setReceived] = useState<number | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const work = useRef<CancellablePromise<Blob> | null>(null)
  useEffect(
    () => () => {
      work.current?.cancel()
    },
    [],
  )
  const cancel = () => {
    const fetching = work.current
    work.current = null
    setReceived(null)
    fetching?.cancel()
  }
  const save = () => {
    setReceived(0)
    setProblem(null)
    const fetching = media.getContent(setReceived)
    work.current = fetching
    const ended = (then: () => void) => {
      // not when it was stopped
      if (work.current !== fetching) return
      work.current = null
      setReceived(null)
      then()
    }
    fetching.then(
      (content) =>
        ended(() => {
          const url = URL.createObjectURL(content)
          saveAs(url, mediaName(media))
          // the browser has begun to read it by then
          setTimeout(() => URL.revokeObjectURL(url), 60_000)
        }),
      (error: unknown) => ended(() => setProblem(report(error))),
    )
  }
  return { received, problem, save, cancel }
}
