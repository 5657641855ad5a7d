/** Bytes damaged at random. */
import type { Random } from '../../packages/core/test/relay-model.ts'

/**
 * A copy with so many wounds.
 * @param strangers other inputs, pieces of which are put in
 */
export function damaged(
  bytes: Uint8Array,
  strangers: readonly Uint8Array[],
  random: Random,
  wounds: number,
): Uint8Array {
  let result = [...bytes]
  for (let left = wounds; left > 0; left--) {
    const at = random.int(result.length + 1)
    switch (random.int(9)) {
      case 0:
        result[Math.min(at, result.length - 1)] = random.int(256)
        break
      case 1:
        result[Math.min(at, result.length - 1)] = (result[at] ?? 0) ^ (1 << random.int(8))
        break
      case 2:
        result.splice(at, 0, random.int(256))
        break
      case 3:
        result.splice(at, 1 + random.int(3))
        break
      case 4:
        result = result.slice(0, at)
        break
      case 5:
        // a number that is as large as it can be
        result.splice(at, 1, ...new Array(1 + random.int(9)).fill(0xff), 0x01)
        break
      case 6:
        result.splice(at, 0, ...result.slice(at, at + random.int(40)))
        break
      case 7:
        // a number's neighbours
        result[Math.min(at, result.length - 1)] = ((result[at] ?? 0) + (random.int(2) === 0 ? 1 : 255)) & 0xff
        break
      default: {
        const other = strangers[random.int(strangers.length)] ?? bytes
        const from = random.int(other.length + 1)
        result.splice(at, random.int(20), ...other.slice(from, from + random.int(60)))
      }
    }
    if (result.length === 0) result.push(random.int(256))
  }
  return Uint8Array.from(result.map((byte) => byte & 0xff))
}
