import type { Media, Message } from '@confab/client'
import { useMedia, useUpload } from '@confab/react'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { bytesText } from '../lib/format.ts'
import { attachedTo, isPicture, isPlayable, isSound, mediaName } from '../lib/media.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { FileRow } from './file-row.tsx'
import { Picture } from './picture.tsx'

/** What came with a message, and how far it is while it is on its way from here. */
export function Attachments({ message }: { message: Message }) {
  const all = attachedTo(message)
  if (all.length === 0) return null
  return (
    <div className="attachments">
      {all.map((one) =>
        isPicture(one.media) ? (
          <Picture key={one.media.sid} of={one} />
        ) : isPlayable(one.media) ? (
          <Playable key={one.media.sid} media={one.media} />
        ) : (
          <FileRow key={one.media.sid} media={one.media} />
        ),
      )}
      <Upload message={message} />
    </div>
  )
}

/** Sound or film: fetched when somebody wants to hear or see it. The player takes the room that it had before. */
function Playable({ media }: { media: Media }) {
  const [isWanted, setIsWanted] = useState(false)
  const name = mediaName(media)
  return (
    <div className={isSound(media) ? 'playable sound' : 'playable film'}>
      {isWanted ? (
        <Player media={media} />
      ) : (
        <div className="file-row">
          <Button className="round small play" aria-label={`Play ${name}`} onPress={() => setIsWanted(true)}>
            <Icon name="play" size={18} />
          </Button>
          <span className="file-name">
            <b dir="auto">{name}</b>
            <small>{bytesText(media.size)}</small>
          </span>
        </div>
      )}
    </div>
  )
}

function Player({ media }: { media: Media }) {
  const { url, error } = useMedia(media)
  const [isUnreadable, setIsUnreadable] = useState(false)
  const name = mediaName(media)
  if (isUnreadable) {
    return (
      <div className="player-file">
        <FileRow media={media} />
        <small className="file-problem">This browser can’t play it. It can be saved.</small>
      </div>
    )
  }
  if (error) return <small className="file-problem">Not on this device yet</small>
  if (url === null) return <small className="file-problem">Fetching {bytesText(media.size)}…</small>
  const given = {
    src: url,
    controls: true,
    autoPlay: true,
    'aria-label': name,
    onError: () => setIsUnreadable(true),
  }
  return isSound(media) ? <audio {...given} /> : <video {...given} playsInline />
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
      {error && (
        <Button className="small" onPress={() => void message.retryUpload().catch(report)}>
          Try now
        </Button>
      )}
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
