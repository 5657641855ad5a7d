/** Deleted ranges collected per client, written sorted and merged. */
import type { ByteWriter } from './byte-writer.ts'
import { mergeRanges } from './read.ts'

export class DeleteSet {
  private readonly byClient = new Map<number, [clock: number, length: number][]>()

  add(client: number, clock: number, length: number): void {
    const ranges = this.byClient.get(client)
    if (!ranges) {
      this.byClient.set(client, [[clock, length]])
      return
    }
    const last = ranges[ranges.length - 1] as [number, number]
    // deletions come mostly in order
    if (last[0] + last[1] === clock) last[1] += length
    else ranges.push([clock, length])
  }

  /** Flat pairs (clock, length) of one client, sorted and merged. */
  rangesOf(client: number): number[] {
    const ranges = this.byClient.get(client)
    return ranges ? mergeRanges(ranges) : []
  }

  write(to: ByteWriter): void {
    to.varuint(this.byClient.size)
    if (this.byClient.size === 0) return
    const clients = [...this.byClient.keys()].sort((a, b) => b - a)
    for (const client of clients) {
      const ranges = this.rangesOf(client)
      to.varuint(client)
      to.varuint(ranges.length / 2)
      for (const number of ranges) to.varuint(number)
    }
  }

  clear(): void {
    this.byClient.clear()
  }
}
