import type { Media } from '@confab/client'
import { useMedia } from '@confab/react'
import { useState } from 'react'
import { Button, Dialog, Modal, ModalOverlay } from 'react-aria-components'
import { Icon } from '../ui/icons.tsx'

/** Pixels that a picture takes at most in a timeline. */
const WIDEST = 340
const HIGHEST = 320

/** A picture in its place from the beginning: what comes later moves nothing. */
export function Picture({ media }: { media: Media }) {
  const { url, placeholder, error } = useMedia(media)
  const [isOpen, setIsOpen] = useState(false)
  const name = media.filename ?? 'Picture'
  const { width, height } = sizeOf(media)
  return (
    <>
      <Button
        className="picture"
        aria-label={`Look at ${name}`}
        style={{ width, aspectRatio: `${width} / ${height}` }}
        onPress={() => setIsOpen(true)}
        isDisabled={url === null}
      >
        {url !== null ? (
          <img src={url} alt={name} />
        ) : (
          placeholder !== null && <img src={placeholder} alt="" className="placeholder" />
        )}
        {url === null && error && <span className="picture-problem">Not on this device yet</span>}
      </Button>
      <ModalOverlay className="overlay lightbox" isDismissable isOpen={isOpen} onOpenChange={setIsOpen}>
        <Modal>
          <Dialog aria-label={name}>
            <Button slot="close" className="round" aria-label="Close">
              <Icon name="close" />
            </Button>
            {url !== null && <img src={url} alt={name} />}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  )
}

function sizeOf({ width, height }: Media): { width: number; height: number } {
  if (!width || !height) return { width: 260, height: 200 }
  const scale = Math.min(1, WIDEST / width, HIGHEST / height)
  return { width: Math.max(60, Math.round(width * scale)), height: Math.max(40, Math.round(height * scale)) }
}
