import type { Media, Message } from '@confab/client'
import { useMedia, useUpload } from '@confab/react'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { bytesText } from '../lib/format.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Picture } from './picture.tsx'

/** Pictures that a page may draw. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif|bmp)$/
const PLAYER = /^(audio|video)\//

/** What came with a message, and how far it is while it is on its way from here. */
export function Attachments({ message }: { message: Message }) {
  const all = message.attachedMedia ?? []
  if (all.length === 0) return null
  return (
    <div className="attachments">
      {all.map((media) =>
        PICTURE.test(media.contentType) ? (
          <Picture key={media.sid} media={media} />
        ) : PLAYER.test(media.contentType) ? (
          <Playable key={media.sid} media={media} />
        ) : (
          <FileRow key={media.sid} media={media} />
        ),
      )}
      <Upload message={message} />
    </div>
  )
}

export const mediaName = ({ filename, contentType }: Media): string => filename ?? contentType

/** Fetched when somebody wants it, and not before. */
function FileRow({ media }: { media: Media }) {
  const { report } = useSession()
  const [isBusy, setIsBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const save = async () => {
    setIsBusy(true)
    setProblem(null)
    try {
      const url = await media.getContentTemporaryUrl()
      if (url === null) return
      const link = Object.assign(document.createElement('a'), { href: url, download: mediaName(media) })
      link.click()
    } catch (error) {
      setProblem(report(error))
    } finally {
      setIsBusy(false)
    }
  }
  return (
    <div className="file-row">
      <Icon name="file" size={28} />
      <span className="file-name">
        <b dir="auto">{mediaName(media)}</b>
        <small>{problem ?? bytesText(media.size)}</small>
      </span>
      <Button
        className="round small"
        aria-label={`Save ${mediaName(media)}`}
        isDisabled={isBusy}
        onPress={() => void save()}
      >
        <Icon name="down" size={18} />
      </Button>
    </div>
  )
}

/** Sound or film: a row until somebody wants to hear or see it. */
function Playable({ media }: { media: Media }) {
  const [isWanted, setIsWanted] = useState(false)
  if (isWanted) return <Player media={media} />
  return (
    <div className="file-row">
      <Button
        className="round small play"
        aria-label={`Play ${mediaName(media)}`}
        onPress={() => setIsWanted(true)}
      >
        <Icon name="play" size={18} />
      </Button>
      <span className="file-name">
        <b dir="auto">{mediaName(media)}</b>
        <small>{bytesText(media.size)}</small>
      </span>
    </div>
  )
}

function Player({ media }: { media: Media }) {
  const { url, error } = useMedia(media)
  if (error) return <small className="file-problem">{error.message}</small>
  if (url === null) return <small className="file-problem">Fetching {bytesText(media.size)}…</small>
  const given = { src: url, controls: true, autoPlay: true, title: mediaName(media) }
  return media.contentType.startsWith('audio/') ? <audio {...given} /> : <video {...given} />
}

function Upload({ message }: { message: Message }) {
  const upload = useUpload(message)
  const { report } = useSession()
  if (!upload || upload.state === 'complete') return null
  const { bytesSent, bytesTotal, state, error } = upload
  const text = {
    waiting: error ? `${error.message}. It is tried again by itself.` : 'Waits for the network',
    uploading: `${bytesText(bytesSent)} of ${bytesText(bytesTotal)}`,
    checking: 'The relay looks at it',
  }[state]
  return (
    <div className="upload">
      <progress value={bytesSent} max={bytesTotal || 1} aria-label="Sent" />
      <small>{text}</small>
      <Button
        className="round small"
        aria-label="Cancel the upload"
        onPress={() => void message.cancelUpload().catch(report)}
      >
        <Icon name="close" size={16} />
      </Button>
    </div>
  )
}
