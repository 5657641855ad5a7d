import type { Conversation, Message } from '@confab/client'
import { type Messages, useMedia, useMessages } from '@confab/react'
import { useEffect, useMemo, useState } from 'react'
import { Button, Dialog, Modal, ModalOverlay } from 'react-aria-components'
import { fullText } from '../lib/format.ts'
import { type Attached, attachedTo, isPicture, mediaName, saveAs } from '../lib/media.ts'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'

/** Pictures of a conversation, one at a time and over everything. The arrow keys go from one to the next. */
export default function Viewer(props: { conversation: Conversation; first: Attached; onClose: () => void }) {
  const [one, setOne] = useState(props.first)
  return (
    <ModalOverlay
      className="overlay lightbox"
      isDismissable
      isOpen
      onOpenChange={(open) => {
        if (!open) props.onClose()
      }}
    >
      <Modal>
        <Dialog aria-label={mediaName(one.media)}>
          <Shown {...props} one={one} onShow={setOne} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}

interface ShownProps {
  conversation: Conversation
  first: Attached
  one: Attached
  onShow: (one: Attached) => void
}

function Shown({ conversation, first, one, onShow }: ShownProps) {
  const { identity } = useSession()
  const names = useNames()
  const { url, placeholder, error } = useMedia(one.media)
  const { pictures, at, step, isWanted } = usePictures(conversation, first.message, one, onShow)
  const { author, dateCreated, dateWritten } = one.message
  const name = mediaName(one.media)
  const from = author === identity ? 'you' : names(author)
  const { width, height } = one.media

  const count = pictures.length
  useEffect(() => {
    const isRtl = document.dir === 'rtl'
    const key = (event: KeyboardEvent) => {
      const to = {
        [isRtl ? 'ArrowRight' : 'ArrowLeft']: -1,
        [isRtl ? 'ArrowLeft' : 'ArrowRight']: 1,
        Home: -at,
        End: count - 1 - at,
      }[event.key]
      if (to === undefined) return
      event.preventDefault()
      if (to !== 0) step(to)
    }
    // the focus is on the dialog, or on a button in it
    document.addEventListener('keydown', key)
    return () => document.removeEventListener('keydown', key)
  }, [at, count, step])

  return (
    <div className="viewer">
      <header>
        <p aria-live="polite">
          <b dir="auto">{name}</b>{' '}
          <span>
            from <bdi>{from}</bdi>, {fullText(dateCreated ?? dateWritten)}
            {at >= 0 && pictures.length > 1 && `, picture ${at + 1} of ${pictures.length}`}
          </span>
        </p>
        <Button
          className="round"
          aria-label={`Save ${name}`}
          isDisabled={url === null}
          onPress={() => url !== null && saveAs(url, name)}
        >
          <Icon name="down" />
        </Button>
        <Button slot="close" className="round" aria-label="Close">
          <Icon name="close" />
        </Button>
      </header>
      <div className="viewer-picture">
        {url !== null ? (
          <img src={url} alt={name} {...(width && height ? { width, height } : {})} />
        ) : (
          placeholder !== null && <img src={placeholder} alt="" className="placeholder" />
        )}
        {url === null && error && <p className="viewer-problem">This picture is not on this device yet.</p>}
      </div>
      <Button
        className="round viewer-step earlier"
        aria-label="Earlier picture"
        isDisabled={isWanted || !canStep(pictures, at, -1)}
        onPress={() => step(-1)}
      >
        <Icon name="back" />
      </Button>
      <Button
        className="round viewer-step later"
        aria-label="Later picture"
        isDisabled={isWanted || !canStep(pictures, at, 1)}
        onPress={() => step(1)}
      >
        <Icon name="next" />
      </Button>
    </div>
  )
}

interface Pictures extends Array<Attached> {
  hasOlder?: boolean
  hasNewer?: boolean
}

const canStep = (pictures: Pictures, at: number, by: -1 | 1): boolean =>
  pictures[at + by] !== undefined || (by < 0 ? !!pictures.hasOlder : !!pictures.hasNewer)

/** The pictures around one, read further where it is the first or the last that is known. */
function usePictures(
  conversation: Conversation,
  first: Message,
  one: Attached,
  onShow: (one: Attached) => void,
) {
  const window = useMessages(conversation, { pageSize: 100 })
  const [wanted, setWanted] = useState(0)
  const { jumpTo } = window
  useEffect(() => {
    if (first.status === 'accepted') void jumpTo(first.index)
  }, [first, jumpTo])
  const pictures = useMemo<Pictures>(
    () =>
      Object.assign(
        window.messages.flatMap(attachedTo).filter(({ media }) => isPicture(media)),
        { hasOlder: window.hasOlder, hasNewer: window.hasNewer },
      ),
    [window.messages, window.hasOlder, window.hasNewer],
  )
  const at = pictures.findIndex(({ media }) => media.sid === one.media.sid)
  useEffect(() => {
    if (wanted === 0 || at < 0) return
    const next = pictures[at + wanted]
    if (next) {
      setWanted(0)
      onShow(next)
    } else if (!readOn(window, wanted)) setWanted(0)
  }, [wanted, pictures, at, window, onShow])
  return { pictures, at, step: setWanted, isWanted: wanted !== 0 }
}

/** Reads a page more that way; false when there is none, or none to be had now. */
function readOn(window: Messages, by: number): boolean {
  if (window.absent || window.error) return false
  if (by < 0 ? !window.hasOlder : !window.hasNewer) return false
  void (by < 0 ? window.loadOlder() : window.loadNewer())
  return true
}
