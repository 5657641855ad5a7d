/** Names and types that people's devices send, made harmless. */

/** Characters of a name, as in operations. */
const LENGTH = 256

/** The last part of a path, without what no disk takes or nobody sees; null when nothing is left. */
export function cleanName(filename: string | null | undefined): string | null {
  const name = (filename?.split(/[\\/]/).at(-1) ?? '')
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}<>:"|?*]/gu, '')
    .trim()
    .replace(/^\.+/, '')
  return [...name].slice(0, LENGTH).join('') || null
}

/** `type/subtype` and its parameters, in printable ASCII; null for what isn't one. */
export function cleanType(type: string | null | undefined): string | null {
  const clean = type?.trim() ?? ''
  if (clean.length > LENGTH || !/^[\w.+-]+\/[\w.+-]+\s*(;[\x20-\x7e]*)?$/.test(clean)) return null
  return clean
}

/** What a browser shows without running anything: pictures of pixels, sound, films, plain text. */
const SHOWN = /^(image\/(png|jpe?g|gif|webp|avif|bmp|heic|heif)|audio\/[\w.+-]+|video\/[\w.+-]+|text\/plain)$/

export const isShown = (contentType: string): boolean =>
  SHOWN.test((contentType.toLowerCase().split(';', 1)[0] ?? '').trim())
