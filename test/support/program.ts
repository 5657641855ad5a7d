/** A program as a person runs it: lines in, lines out. */
import { type ChildProcessByStdio, type SpawnOptions, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export class Program {
  /** Standard output so far, line by line. */
  readonly lines: string[] = []
  /** Standard error so far. */
  errors = ''
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting = new Set<() => void>()
  #ended: { code: number | null; signal: string | null } | null = null

  constructor(command: string, args: readonly string[], options: Pick<SpawnOptions, 'cwd' | 'env'> = {}) {
    this.#child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.lines.push(line)
      this.#wake()
    })
    this.#child.stderr.on('data', (data) => {
      this.errors += data
      this.#wake()
    })
    this.#child.on('close', (code, signal) => {
      this.#ended = { code, signal }
      this.#wake()
    })
    // it has ended: `close` follows
    this.#child.stdin.on('error', () => {})
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** The first line with this text at or after the position; rejects when the program ends before. */
  async line(text: string | RegExp, from = 0): Promise<string> {
    return this.#when(() =>
      this.lines
        .slice(from)
        .find((line) => (typeof text === 'string' ? line.includes(text) : text.test(line))),
    )
  }

  /** Its standard input ends. Resolves to its exit code when it has ended. */
  finish(): Promise<number | null> {
    this.#child.stdin.end()
    return this.ended()
  }

  /** Sends the signal, unless it has ended. Resolves to its exit code when it has ended. */
  stop(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.#ended) this.#child.kill(signal)
    return this.ended()
  }

  async ended(): Promise<number | null> {
    const { code } = await new Promise<{ code: number | null }>((resolve) => {
      const look = () => {
        if (!this.#ended) return
        this.#waiting.delete(look)
        resolve(this.#ended)
      }
      this.#waiting.add(look)
      look()
    })
    return code
  }

  #when<T>(test: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = test()
        if (found !== undefined) resolve(found)
        else if (this.#ended) {
          const { code, signal } = this.#ended
          reject(new Error(`ended (${code ?? signal})\n${this.lines.join('\n')}\n${this.errors}`))
        } else return
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look()
  }
}
