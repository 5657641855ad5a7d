/** Lines in, lines out: a terminal where what arrives doesn't tear apart what is being typed. */
import { createInterface } from 'node:readline'

export interface Terminal {
  /** True when a person sits there, false for a pipe. */
  readonly interactive: boolean
  print(line: string): void
  setPrompt(prompt: string): void
  /** What is typed, line by line, until the end of input or `close`. */
  lines(): AsyncIterable<string>
  /** Runs a prompt of its own (a selection, a question) with the line editor out of the way. */
  aside<T>(ask: () => Promise<T>): Promise<T>
  close(): void
}

export function openTerminal(input = process.stdin, output = process.stdout): Terminal {
  const interactive = Boolean(input.isTTY && output.isTTY)
  const waiting: string[] = []
  let wake: (() => void) | null = null
  let closed = false
  let prompt = '> '
  const open = () => {
    const editor = createInterface({ input, output: interactive ? output : undefined, prompt })
    editor.on('line', (line) => {
      waiting.push(line)
      wake?.()
    })
    // ^C and ^D end the chat
    editor.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    editor.on('close', () => {
      if (editor !== current) return
      closed = true
      wake?.()
    })
    return editor
  }
  let current: ReturnType<typeof createInterface> | null = null
  current = open()

  return {
    interactive,
    print(line) {
      if (!interactive) {
        output.write(`${line}\n`)
        return
      }
      output.write(`\r\u001b[2K${line}\n`)
      current?.prompt(true)
    },
    setPrompt(next) {
      prompt = next
      if (!interactive) return
      current?.setPrompt(next)
      current?.prompt(true)
    },
    async *lines() {
      while (true) {
        const line = waiting.shift()
        if (line !== undefined) {
          yield line
          if (interactive) current?.prompt()
        } else if (closed) {
          return
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          wake = null
        }
      }
    },
    async aside(ask) {
      const editor = current
      current = null
      editor?.close()
      try {
        return await ask()
      } finally {
        current = open()
      }
    },
    close() {
      closed = true
      current?.close()
      wake?.()
    },
  }
}
