import type { ClientLogger, ClientOptions, LogLevel } from './client-options.ts'
import type { EngineOptions } from './engine/engine.ts'

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent']

/** What the engine logs to: the app's logger, or the console from the level that the app asked for. */
export function logFor({ logger, logLevel = 'error' }: ClientOptions): EngineOptions['log'] {
  const target: ClientLogger = logger ?? console
  const lowest = logger ? 0 : LEVELS.indexOf(logLevel)
  return (level, message, details) => {
    if (LEVELS.indexOf(level) < lowest) return
    if (details === undefined) target[level]?.(`confab: ${message}`)
    else target[level]?.(`confab: ${message}`, details)
  }
}
