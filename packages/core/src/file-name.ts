import { DEFAULT_LIMITS } from './limits.ts'

/** What shows nothing and changes what is shown around it, but for the joiners that scripts and emoji need. */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu

/**
 * A file's name as it may be shown, and used as one: the last part of a path, without what no disk takes or nobody
 * sees, of as many characters as an operation's names have (256); its ending stays when it is too long. `''` when
 * nothing is left.
 */
export function cleanFileName(given: string): string {
  const name = (given.split(/[\\/]/).at(-1) ?? '')
    .normalize('NFC')
    .replace(UNSEEN, '')
    .replace(/[<>:"|?*]/g, '')
    .replace(/^[.\s]+|\s+$/g, '')
  const most = DEFAULT_LIMITS.nameLength
  const characters = [...name]
  if (characters.length <= most) return name
  const ending = /\.[^.]{1,16}$/.exec(name)?.[0] ?? ''
  return characters.slice(0, most - [...ending].length).join('') + ending
}
