/** What a list draws while a picture isn't there: its size, and some thirty bytes of what it looks like. */
import type { MediaRecord } from '@confab/core'
import { rgbaToThumbHash, thumbHashToDataURL } from 'thumbhash'

/** Pixels of the longer side that a ThumbHash is made of, at most (its own bound). */
const SIDE = 100

/**
 * Width, height and ThumbHash of a picture; nothing where it can't be read, and nothing outside of browsers: there is
 * nobody there who decodes pictures.
 */
export async function look(
  content: Blob,
  contentType: string,
): Promise<Pick<MediaRecord, 'width' | 'height' | 'placeholder'>> {
  if (!/^image\/(?!svg)/.test(contentType) || typeof createImageBitmap === 'undefined') return {}
  let picture: ImageBitmap
  try {
    picture = await createImageBitmap(content)
  } catch {
    return {}
  }
  try {
    const { width, height } = picture
    if (width === 0 || height === 0) return {}
    const scale = Math.min(1, SIDE / Math.max(width, height))
    const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))]
    const canvas = canvasOf(w, h)
    const context = canvas?.getContext('2d') as
      | CanvasRenderingContext2D
      | OffscreenCanvasRenderingContext2D
      | null
    if (!context) return { width, height }
    context.drawImage(picture, 0, 0, w, h)
    const { data } = context.getImageData(0, 0, w, h)
    return { width, height, placeholder: btoa(String.fromCharCode(...rgbaToThumbHash(w, h, data))) }
  } finally {
    picture.close()
  }
}

function canvasOf(width: number, height: number): OffscreenCanvas | HTMLCanvasElement | null {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(width, height)
  if (typeof document === 'undefined') return null
  return Object.assign(document.createElement('canvas'), { width, height })
}

/** A picture (`data:` URL) of a placeholder; null when it is none. */
export function placeholderUrl(placeholder: string): string | null {
  try {
    const bytes = Uint8Array.from(atob(placeholder), (sign) => sign.charCodeAt(0))
    return bytes.length < 5 ? null : thumbHashToDataURL(bytes)
  } catch {
    return null
  }
}
