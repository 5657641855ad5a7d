/** Names and types that somebody else gave, made such as can be used here. */

/** Characters of a content type, and of a file name: an operation's names. */
export const NAME = 256

/** Types that a browser shows without running anything in the origin of who opens them. */
const SAFE =
  /^(?:image\/(?!svg)[\w.+-]+|(?:audio|video)\/[\w.+-]+|text\/plain|application\/(?:pdf|json|zip))(?:;|$)/

/**
 * The type under which content is handed out: a `blob:` address belongs to the app's origin, so a page or a drawing
 * with script in it would run there.
 */
export const safeType = (contentType: string): string =>
  SAFE.test(contentType) ? contentType : 'application/octet-stream'

/** The last part of a path, without what no disk takes; its ending stays when it is too long. */
export function cleanName(filename: string): string {
  const name = (filename.split(/[\\/]/).at(-1) ?? '')
    .normalize('NFC')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*]/g, '')
    .trim()
    .replace(/^\.+/, '')
  const characters = [...name]
  if (characters.length <= NAME) return name
  const ending = /\.[^.]{1,16}$/.exec(name)?.[0] ?? ''
  return characters.slice(0, NAME - [...ending].length).join('') + ending
}
