/**
 * Short messages as networks carry them (3GPP TS 23.038 and 23.040): GSM-7 where every character has one, UCS-2
 * otherwise; more than one part where it is too long for one, which a header of six bytes joins together. Pure.
 */

/** The basic table: one septet each. */
const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
)
/** The extension table: two septets each. */
const EXTENDED = new Set('\f^{}\\[~]|€')

export type SmsEncoding = 'gsm7' | 'ucs2'

/** Units of one message by itself, and of one part of several (septets, or UTF-16 code units). */
const ROOM: { readonly [Encoding in SmsEncoding]: readonly [alone: number, part: number] } = {
  gsm7: [160, 153],
  ucs2: [70, 67],
}

/** Parts that one message may have: its header counts them in a byte, and people's phones show fewer. */
export const MOST_PARTS = 255

export interface Segments {
  encoding: SmsEncoding
  parts: string[]
}

/** The text in parts. No character is torn: neither an escape of GSM-7 nor a surrogate pair. */
export function segmentsOf(text: string): Segments {
  const characters = [...text]
  const encoding = characters.every((one) => BASIC.has(one) || EXTENDED.has(one)) ? 'gsm7' : 'ucs2'
  const units = (one: string) => (encoding === 'ucs2' ? one.length : EXTENDED.has(one) ? 2 : 1)
  const [alone, room] = ROOM[encoding]
  const total = characters.reduce((sum, one) => sum + units(one), 0)
  if (total <= alone) return { encoding, parts: [text] }
  const parts: string[] = []
  let part = ''
  let left = room
  for (const one of characters) {
    const size = units(one)
    if (size > left) {
      parts.push(part)
      part = ''
      left = room
    }
    part += one
    left -= size
  }
  parts.push(part)
  return { encoding, parts }
}

/** Which part of which long message. */
export interface PartOf {
  reference: number
  total: number
  /** From 1. */
  number: number
}

/** The header that joins parts: an 8-bit reference (information element 0). */
export function joiningHeader({ reference, total, number }: PartOf): Buffer {
  return Buffer.from([5, 0, 3, reference & 0xff, total, number])
}

/** What a header says of joining; null when it says nothing, or nonsense. */
export function readHeader(header: Uint8Array): PartOf | null {
  let at = 1
  while (at + 2 <= header.length) {
    const [id, length] = [header[at], header[at + 1]] as [number, number]
    const body = header.subarray(at + 2, at + 2 + length)
    at += 2 + length
    const wide = id === 8 && length === 4
    if (!wide && !(id === 0 && length === 3)) continue
    const bytes = wide ? body.subarray(1) : body
    const reference = wide ? ((body[0] ?? 0) << 8) | (body[1] ?? 0) : (body[0] ?? 0)
    return sensible({ reference, total: bytes[1] ?? 0, number: bytes[2] ?? 0 })
  }
  return null
}

/** The part, if its numbers go together. */
export function sensible(part: PartOf): PartOf | null {
  return part.total >= 1 && part.number >= 1 && part.number <= part.total ? part : null
}
