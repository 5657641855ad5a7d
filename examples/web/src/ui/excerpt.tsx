/** Characters before the first word that was found. */
const BEFORE = 24

const literally = (word: string) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The part of a text where it has the words of a query, with them marked. */
export function Excerpt({ text, query }: { text: string; query: string }) {
  const words = query.split(/\s+/).filter((word) => word !== '')
  const pattern = new RegExp(`(${words.map(literally).join('|')})`, 'giu')
  const at = text.search(pattern)
  const from = at > BEFORE * 2 ? at - BEFORE : 0
  const parts = text.slice(from, from + 200).split(pattern)
  return (
    <>
      {from > 0 && '…'}
      {parts.map((part, i) =>
        // every second part is what the pattern took
        // biome-ignore lint/suspicious/noArrayIndexKey: parts have no identity, and are replaced together
        i % 2 === 1 ? <mark key={i}>{part}</mark> : part,
      )}
    </>
  )
}
