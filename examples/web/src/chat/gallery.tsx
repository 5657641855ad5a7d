import type { CancellablePromise, Conversation, MediaDownload } from '@confab/client'
import { useEffect, useRef, useState } from 'react'
import { Button } from 'react-aria-components'
import { bytesText } from '../lib/format.ts'
import { isPicture, useConversationMedia } from '../lib/media.ts'
import { useSession } from '../session.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'
import { FileRow } from './file-row.tsx'
import { PictureButton } from './picture.tsx'

/** Everything that was attached in a conversation: its pictures, and its files. */
export default function Gallery(props: { conversation: Conversation; onClose: () => void }) {
  return (
    <Sheet kind="drawer" title="Pictures and files" isOpen onClose={props.onClose}>
      <Contents conversation={props.conversation} />
    </Sheet>
  )
}

function Contents({ conversation }: { conversation: Conversation }) {
  const { all, isLoading, hasMore, problem, more } = useConversationMedia(conversation)
  const pictures = all.filter(({ media }) => isPicture(media))
  const files = all.filter(({ media }) => !isPicture(media))
  const bytes = all.reduce((sum, { media }) => sum + media.size, 0)
  return (
    <>
      {all.length === 0 && !isLoading && <p className="quiet">Nothing was attached here yet.</p>}
      {pictures.length > 0 && <h3>Pictures ({pictures.length})</h3>}
      {pictures.length > 0 && (
        <ul className="gallery" aria-label="Pictures">
          {pictures.map((one) => (
            <li key={one.media.sid}>
              <PictureButton of={one} />
            </li>
          ))}
        </ul>
      )}
      {files.length > 0 && <h3>Files ({files.length})</h3>}
      {files.length > 0 && (
        <ul className="gallery-files" aria-label="Files">
          {files.map(({ media }) => (
            <li key={media.sid}>
              <FileRow media={media} />
            </li>
          ))}
        </ul>
      )}
      <Problem text={problem?.message ?? null} />
      <p className="quiet" role="status">
        {isLoading ? 'Looking…' : ''}
      </p>
      {hasMore && !isLoading && <Button onPress={more}>Show older</Button>}
      {all.length > 0 && <KeepAll conversation={conversation} bytes={hasMore ? null : bytes} />}
    </>
  )
}

/** Fetches everything that is attached, for when there is no network. */
function KeepAll({ conversation, bytes }: { conversation: Conversation; bytes: number | null }) {
  const { report } = useSession()
  const [progress, setProgress] = useState<MediaDownload | null>(null)
  const [isBusy, setIsBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const work = useRef<CancellablePromise<MediaDownload> | null>(null)
  useEffect(
    () => () => {
      work.current?.cancel()
    },
    [],
  )
  const fetchAll = async () => {
    setIsBusy(true)
    setProblem(null)
    setProgress(null)
    const fetching = conversation.downloadMedia(setProgress)
    work.current = fetching
    try {
      setProgress(await fetching)
    } catch (error) {
      // what came until it was stopped stays
      if (work.current === fetching) setProblem(report(error))
      else setProgress(null)
    }
    work.current = null
    setIsBusy(false)
  }
  const stop = () => {
    const fetching = work.current
    work.current = null
    fetching?.cancel()
  }
  return (
    <section className="keep-all" aria-label="For when there is no network">
      <Problem text={problem} />
      {isBusy ? (
        <div className="upload">
          <progress
            value={progress?.bytes ?? 0}
            max={progress?.bytesTotal || 1}
            aria-label="Kept on this device"
          />
          <Button className="round small" aria-label="Stop" onPress={stop}>
            <Icon name="close" size={16} />
          </Button>
        </div>
      ) : (
        <Button onPress={() => void fetchAll()}>
          Keep all of it on this device{bytes !== null && ` (${bytesText(bytes)})`}
        </Button>
      )}
      <p className="quiet" role="status">
        {progress && keptText(progress, isBusy)}
      </p>
    </section>
  )
}

function keptText({ files, filesTotal, failed, bytes, bytesTotal }: MediaDownload, isBusy: boolean): string {
  if (isBusy) return `${files} of ${filesTotal}, ${bytesText(bytes)} of ${bytesText(bytesTotal)}`
  if (failed > 0) return `${files} of ${filesTotal} are on this device. ${failed} could not be fetched now.`
  return 'All of it is on this device.'
}
