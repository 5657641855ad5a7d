/** Makes up inputs for one target, from a seed, and keeps those that reach something new. */
import { type Random, seeded } from '../../packages/core/test/relay-model.ts'
import { inputsOf, readCorpus } from './corpus.ts'
import type { Coverage } from './coverage.ts'
import { damaged } from './damage.ts'
import { failureOf } from './shrink.ts'
import type { Target } from './target.ts'

/** Inputs between two looks at the coverage, each of which costs as much as some of them. */
const BATCH = 64
/** Inputs that are kept for what they cost, to be magnified at the end. */
const DEAREST = 8

export interface Failure {
  input: Uint8Array
  kind: string
  error: unknown
}

export class Fuzzer {
  readonly target: Target
  readonly #coverage: Coverage | null
  readonly #random: Random & { u32(): number }
  /** What every run begins with. */
  readonly #first: readonly Uint8Array[]
  readonly #corpus: Uint8Array[]
  readonly #seen = new Map<string, number>()
  /** The same of whole batches: V8 joins neighbouring pieces that ran equally often, so theirs are others. */
  readonly #seenByBatches = new Map<string, number>()
  #batch: Uint8Array[] = []
  #dearest: { input: Uint8Array; microsecondsPerByte: number }[] = []
  runs = 0
  /** Milliseconds spent. */
  spent = 0
  /** Inputs that reached something new, in order. */
  readonly kept: Uint8Array[] = []

  /** @param coverage null: inputs depend on the seed alone */
  constructor(target: Target, seed: number, coverage: Coverage | null) {
    this.target = target
    this.#coverage = coverage
    this.#random = seeded(seed)
    this.#first = [...inputsOf(readCorpus(target.name)), ...(target.seeds?.() ?? [])]
    this.#corpus = [...this.#first]
  }

  get corpusSize(): number {
    return this.#corpus.length
  }

  /** Pieces of the sources that were reached. */
  get reached(): number {
    return this.#seen.size
  }

  /** One more input; resolves to how it failed, or to null. */
  async step(): Promise<Failure | null> {
    const started = performance.now()
    const input = this.#first[this.runs] ?? this.#make()
    const failure = await failureOf(this.target, input)
    this.runs++
    const took = performance.now() - started
    this.spent += took
    if (failure) return { input, ...failure }
    this.#notePrice(input, took)
    if (this.#coverage) this.#batch.push(input)
    if (this.#coverage && this.target.sources.length > 0 && this.#batch.length >= BATCH)
      await this.#look(this.#coverage)
    return null
  }

  /** Inputs that took long for what they are: what time says is only a hint, the steps on them are counted. */
  get dearest(): readonly Uint8Array[] {
    return this.#dearest.map(({ input }) => input)
  }

  /** Of what was kept, short ones that together reach every piece that the corpus in the repository doesn't. */
  async covering(coverage: Coverage): Promise<Uint8Array[]> {
    const reached = new Set<string>()
    const chosen: Uint8Array[] = []
    const shortest = this.kept.toSorted((a, b) => a.length - b.length)
    for (const input of [...this.#first, ...shortest]) {
      coverage.take(this.target.sources)
      await failureOf(this.target, input)
      const before = reached.size
      for (const piece of coverage.take(this.target.sources).keys()) reached.add(piece)
      if (reached.size > before && !this.#first.includes(input)) chosen.push(input)
    }
    return chosen
  }

  #make(): Uint8Array {
    const random = this.#random
    if (this.#corpus.length === 0 || random.int(5) === 0) {
      return Uint8Array.from({ length: 1 + random.int(this.target.bytes) }, () => random.int(256))
    }
    const base = this.#corpus[random.int(this.#corpus.length)] as Uint8Array
    return damaged(base, this.#corpus, random, 1 + random.int(4))
  }

  /** Whether something new was reached by the batch, and if so, by which of its inputs. */
  async #look(coverage: Coverage): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    const { sources } = this.target
    if (!isNews(this.#seenByBatches, coverage.take(sources), () => 1)) return
    for (const input of batch) {
      await failureOf(this.target, input)
      if (!isNews(this.#seen, coverage.take(sources), orderOf)) continue
      this.#corpus.push(input)
      this.kept.push(input)
    }
  }

  #notePrice(input: Uint8Array, took: number): void {
    const microsecondsPerByte = (1000 * took) / (input.length + 16)
    const cheapest = this.#dearest.at(-1)
    if (this.#dearest.length === DEAREST && cheapest && cheapest.microsecondsPerByte >= microsecondsPerByte)
      return
    this.#dearest.push({ input, microsecondsPerByte })
    this.#dearest.sort((a, b) => b.microsecondsPerByte - a.microsecondsPerByte)
    this.#dearest.length = Math.min(DEAREST, this.#dearest.length)
  }
}

/** A piece that was never run, or more often than ever by an order of magnitude. Both are remembered. */
function isNews(
  seen: Map<string, number>,
  counts: ReadonlyMap<string, number>,
  order: (count: number) => number,
): boolean {
  let found = false
  for (const [piece, count] of counts) {
    if (order(count) <= (seen.get(piece) ?? 0)) continue
    found = true
    seen.set(piece, order(count))
  }
  return found
}

const orderOf = (count: number): number => 1 + Math.floor(Math.log2(count) / 3)
