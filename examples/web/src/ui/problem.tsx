/** What went wrong, where it was tried. */
export function Problem({ text }: { text: string | null }) {
  if (text === null) return null
  return (
    <p className="problem" role="alert">
      {text}
    </p>
  )
}
