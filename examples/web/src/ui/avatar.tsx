/** A person or a group, by colour and letter: the same for the same name everywhere. */
export function Avatar({ name, isOnline, isGroup }: { name: string; isOnline?: boolean; isGroup?: boolean }) {
  let hue = 0
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360
  const [first = '?'] = [...new Intl.Segmenter().segment(name.replace(/^\W+/u, '') || name)].map(
    ({ segment }) => segment,
  )
  return (
    <span
      className={isGroup ? 'avatar group' : 'avatar'}
      style={{ '--hue': hue } as React.CSSProperties}
      aria-hidden="true"
    >
      {first.toLocaleUpperCase()}
      {isOnline && <span className="avatar-online" />}
    </span>
  )
}
