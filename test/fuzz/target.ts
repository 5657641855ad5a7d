/** What a fuzz target is: a reading of bytes, and what must hold of it. */

export interface Target {
  readonly name: string
  /** What it throws at what, in one line of `--help`. */
  readonly about: string
  /** The longest input that is made up at random. */
  readonly bytes: number
  /** Inputs to begin with, beside those of the corpus folder. */
  seeds?(): Uint8Array[]
  /** Throws when something doesn't hold. */
  run(input: Uint8Array): void | Promise<void>
  /** What the input stands for, for whoever reads of a failure. */
  describe?(input: Uint8Array): string
  /**
   * The same input so many times larger, and the bytes that the code under test is given then: what is counted on it
   * must grow as the bytes do. Null: there is no such thing.
   */
  magnified?(input: Uint8Array, times: number): { bytes: number; run(): void } | null
  /** Sources of which coverage is looked at, as a part of their paths. */
  readonly sources: readonly string[]
  /** How many runs making a failure smaller may take, where one takes long. */
  readonly shrinkTries?: number
  /** What it holds open. */
  close?(): Promise<void>
}

/** Something that must hold doesn't. `what` names it: two inputs that fail alike have the same. */
export class Finding extends Error {
  override readonly name = 'Finding'
  readonly what: string

  constructor(what: string, details?: unknown) {
    super(details === undefined ? what : `${what}: ${shown(details)}`)
    this.what = what
  }
}

/** How it failed, without what differs from one input to the next. */
export function kindOf(error: unknown): string {
  if (error instanceof Finding) return error.what
  if (!(error instanceof Error)) return String(error)
  const where = /at (\S+)/.exec(error.stack?.split('\n').find((line) => line.includes('    at ')) ?? '')?.[1]
  return `${error.name}: ${error.message.replace(/\d+/g, '#').slice(0, 80)} at ${where}`
}

/** As JSON, with what JSON has no word for. */
export const shown = (details: unknown): string => {
  const text = JSON.stringify(details, (_, value) =>
    typeof value === 'bigint'
      ? `${value}n`
      : value instanceof Uint8Array
        ? toHex(value)
        : value === undefined
          ? 'undefined'
          : value,
  )
  return text.length > 3000 ? `${text.slice(0, 3000)}…` : text
}

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
export const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
