import type { Media } from '@confab/client'
import { useMedia } from '@confab/react'
import { createContext, useContext } from 'react'
import { Button } from 'react-aria-components'
import type { Attached } from '../lib/media.ts'

/** Pixels that a picture takes at most in a timeline. */
const WIDEST = 340
const HIGHEST = 320

/** Opens the viewer on a picture. */
export const LookContext = createContext<(one: Attached) => void>(() => {})

/** A picture in its place from the beginning: what comes later moves nothing. */
export function Picture({ of }: { of: Attached }) {
  const { media } = of
  const { width, height } = sizeOf(media)
  return <PictureButton of={of} style={{ width, aspectRatio: `${width} / ${height}` }} />
}

/** A picture that opens the viewer when it is pressed. */
export function PictureButton({ of, style }: { of: Attached; style?: React.CSSProperties }) {
  const { url, placeholder, error } = useMedia(of.media)
  const look = useContext(LookContext)
  const name = of.media.filename ?? 'Picture'
  return (
    <Button
      className="picture"
      aria-label={url === null && error ? `${name}: not on this device yet` : `Look at ${name}`}
      {...(style && { style })}
      onPress={() => look(of)}
      isDisabled={url === null}
    >
      {url !== null ? (
        <img src={url} alt={name} />
      ) : (
        placeholder !== null && <img src={placeholder} alt="" className="placeholder" />
      )}
      {url === null && error && <span className="picture-problem">Not on this device yet</span>}
    </Button>
  )
}

function sizeOf({ width, height }: Media): { width: number; height: number } {
  if (!width || !height) return { width: 260, height: 200 }
  const scale = Math.min(1, WIDEST / width, HIGHEST / height)
  return { width: Math.max(60, Math.round(width * scale)), height: Math.max(40, Math.round(height * scale)) }
}
