/** What the address names behind its #: a conversation, and where in it; or an invite. No server sees any of it. */
export interface Place {
  sid: string
  /** Index of a message to show; null: the newest. */
  index: number | null
}

const PLACE = /^#(CH[0-9a-f]{32})(?:\/(\d{1,9}))?$/
const INVITE = /^#join=([A-Za-z0-9._~-]+)$/

export function placeInAddress(): Place | null {
  const [, sid, index] = PLACE.exec(location.hash) ?? []
  return sid === undefined ? null : { sid, index: index === undefined ? null : Number(index) }
}

export const inviteInAddress = (): string | null => INVITE.exec(location.hash)?.[1] ?? null

export const inviteLink = (invite: string): string => `${location.origin}/#join=${invite}`

/** The address of a place, or of the list. */
export function addressOf(place: Place | null): string {
  const page = location.pathname + location.search
  if (!place) return page
  return `${page}#${place.sid}${place.index === null ? '' : `/${place.index}`}`
}
