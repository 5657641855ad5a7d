/** Icons as paths, drawn in the colour of the text around them. */
const PATHS = {
  add: 'M12 5v14M5 12h14',
  back: 'm14 6-6 6 6 6',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  send: 'M4 12 20 4l-5 16-3.5-6.5L4 12Z',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6 9c0-3.3 2.7-6 6-6s6 2.7 6 6M16 4.5a3.5 3.5 0 0 1 0 6.5M17.5 14.5c2.1.8 3.5 2.9 3.5 5.5',
  down: 'M12 5v14m-6-6 6 6 6-6',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3 2',
  check: 'm5 13 4 4L19 7',
  checks: 'm2 13 4 4L15 7m-3 9 1 1 9-10',
  warning: 'M12 4 2.5 20h19L12 4Zm0 6v4m0 3h.01',
  reply: 'M9 7 4 12l5 5M4 12h9a7 7 0 0 1 7 7',
  smile: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.5c.8 1.2 2 2 3.5 2s2.7-.8 3.5-2M9 9.5h.01M15 9.5h.01',
  close: 'm6 6 12 12M18 6 6 18',
  mute: 'M4 9v6h4l5 4V5L8 9H4Zm13 0 4 6m0-6-4 6',
  tray: 'M4 13V6a2 2 0 0 1 2-2h12a2 2 0 0 1 2 2v7m-16 0h5l1.5 3h3L15 13h5m-16 0v5a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-5',
  pulse: 'M3 12h4l2.5-7 5 14 2.5-7h4',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-10v5m0-8h.01',
  clip: 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7L9.500 17a1.700 1.700 0 0 1-2.400-2.400L14.500 7.500',
  file: 'M6 3h8l4 4v14H6V3Zm8 0v4h4',
  picture: 'M4 5h16v14H4V5Zm0 11 5-5 4 4 3-3 4 4M15.500 9h.01',
  camera: 'M4 8h4l1.500-3h5L16 8h4v11H4V8Zm8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z',
  next: 'm10 6 6 6-6 6',
  play: 'M8 5v14l11-7L8 5Z',
  edit: 'm4 20 1-4L16 5l3 3L8 19l-4 1Z',
  trash: 'M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13',
  copy: 'M9 9h10v11H9zM5 15V4h10',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 3 : 1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}
