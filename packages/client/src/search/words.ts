/**
 * What searching looks at: texts without case, accents and other marks, as words; and a query, whose words must all
 * begin a word of the text. Scripts that are written without spaces are looked for letter by letter: what stands in
 * the query must stand in the text, wherever.
 */

/** One of a query's terms: the beginning of a word, or letters of a script without spaces, to be found anywhere. */
export interface Term {
  readonly text: string
  readonly anywhere: boolean
}

const NO_SPACES = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}ー々`
const RUNS = new RegExp(String.raw`([${NO_SPACES}]\p{M}*)+|([^${NO_SPACES}\P{L}]|[\p{N}\p{M}])+`, 'gu')
const UNSPACED = new RegExp(`^[${NO_SPACES}]`, 'u')

/** Marks that readers leave out: accents, Hebrew points, Arabic vowels and tatweel. Not Japan's, which tell letters apart. */
const MARKS = /(?![\u3099\u309a])[\p{sc=Inherited}\u0591-\u05c7\u0640]/gu
/** Letters that no decomposition makes plain, and Arabic ones that are written one for the other. */
const PLAIN: { [letter: string]: string } = { ß: 'ss', ø: 'o', ł: 'l', đ: 'd', æ: 'ae', œ: 'oe', ı: 'i' }
Object.assign(PLAIN, { ى: 'ي', ة: 'ه', ς: 'σ' })
const NOT_PLAIN = new RegExp(`[${Object.keys(PLAIN).join('')}]`, 'g')

/** The text as it is compared. */
export function fold(text: string): string {
  if (isPlain(text)) return text.toLowerCase()
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(MARKS, '')
    .replace(NOT_PLAIN, (letter) => PLAIN[letter] as string)
    .normalize('NFC')
}

/** Nothing but ASCII: most texts in many languages, and ten times as fast. */
const isPlain = (text: string): boolean => !/[^\0-\x7f]/.test(text)

/** The words of a text, and runs of letters of scripts without spaces, folded, in order. */
export const runsOf = (text: string): string[] => fold(text).match(isPlain(text) ? /[a-z0-9]+/g : RUNS) ?? []

/** What of a text stands in the index: its words; of runs without spaces, each two neighbours and the last letter. */
export function indexed(text: string): string[] {
  return runsOf(text).flatMap((run) => (UNSPACED.test(run) ? pairs(run) : run.slice(0, LONGEST)))
}

/** Words are kept up to so many letters: what is longer is no word, and is compared with the text itself. */
const LONGEST = 40

/** @param query as a person types it */
export function termsOf(query: string): Term[] {
  const texts = new Map(runsOf(query).map((text) => [text, { text, anywhere: UNSPACED.test(text) }]))
  return [...texts.values()].slice(0, TERMS)
}

/** Terms of a query that count. */
const TERMS = 32

/** Beginnings of what `indexed` gives: a text that matches the term has one that begins with each. */
export function keysOf({ text, anywhere }: Term): string[] {
  if (!anywhere) return [text.slice(0, LONGEST)]
  const all = pairs(text)
  return all.length === 1 ? all : all.slice(0, -1)
}

/** Whether a text has all of the terms. */
export function matches(text: string, terms: readonly Term[]): boolean {
  const runs = runsOf(text)
  return terms.every((term) =>
    runs.some((run) => (term.anywhere ? run.includes(term.text) : run.startsWith(term.text))),
  )
}

function pairs(run: string): string[] {
  const letters = [...run]
  return letters.map((letter, at) => letter + (letters[at + 1] ?? ''))
}
