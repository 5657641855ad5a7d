/** Content types that people's devices and servers send. */
import { DEFAULT_LIMITS } from '@confab/core'

/** `type/subtype` and its parameters, in printable ASCII; null for what isn't one. */
export function cleanType(type: string | null | undefined): string | null {
  const clean = type?.trim() ?? ''
  if (clean.length > DEFAULT_LIMITS.nameLength || !/^[\w.+-]+\/[\w.+-]+\s*(;[\x20-\x7e]*)?$/.test(clean))
    return null
  return clean
}

/** What a browser shows without running anything: pictures of pixels, sound, films, plain text. */
const SHOWN = /^(image\/(png|jpe?g|gif|webp|avif|bmp|heic|heif)|audio\/[\w.+-]+|video\/[\w.+-]+|text\/plain)$/

export const isShown = (contentType: string): boolean =>
  SHOWN.test((contentType.toLowerCase().split(';', 1)[0] ?? '').trim())
