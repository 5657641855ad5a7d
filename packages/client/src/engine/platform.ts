/** The clock, the dice and the event loop: all that the engine takes from outside beside storage and transport. */
import { ConfabError } from '@confab/core'

export interface Platform {
  /** Milliseconds since the epoch, by this device's clock. */
  now(): number
  /** That many random bytes. */
  random(bytes: number): Uint8Array
  /** Runs the task after `ms` milliseconds; the result is for `clearTimeout`. */
  setTimeout(task: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** Runs the task after everything that is already due, promise reactions included; tasks keep their order. */
  macrotask(task: () => void): void
}

/**
 * The real one, in Node and in browsers.
 * @throws ConfabError 70702 where nobody makes random bytes, as in React Native by itself
 */
export function systemPlatform(): Platform {
  // by its own name: `main.cjs` brings one for Jest
  if (typeof crypto === 'undefined' || typeof crypto.getRandomValues !== 'function')
    throw new ConfabError(
      70702,
      'There is no crypto.getRandomValues: in React Native, install react-native-get-random-values and import it first',
    )
  return {
    now: () => Date.now(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    setTimeout: (task, ms) => setTimeout(task, ms),
    clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    macrotask: systemMacrotask(),
  }
}

function systemMacrotask(): (task: () => void) => void {
  if (typeof setImmediate === 'function') return (task) => void setImmediate(task)
  // React Native and Jest's browser
  if (typeof MessageChannel === 'undefined') return (task) => void setTimeout(task, 0)
  // A timer would wait a second in a background tab.
  const channel = new MessageChannel()
  const tasks: (() => void)[] = []
  channel.port1.onmessage = () => tasks.shift()?.()
  return (task) => {
    tasks.push(task)
    channel.port2.postMessage(null)
  }
}

/** A random integer in [0, 2^32). */
export function randomUint32(platform: Pick<Platform, 'random'>): number {
  const bytes = platform.random(4)
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
}

/** A random number in [0, 1). */
export function randomFraction(platform: Pick<Platform, 'random'>): number {
  return randomUint32(platform) / 2 ** 32
}

/** The platform that an engine's options ask for: the real one, but for what they replace. */
export function platformOf(options: {
  platform?: Platform
  now?: () => number
  random?: () => number
}): Platform {
  if (options.platform) return options.platform
  const { now, random } = options
  return {
    ...systemPlatform(),
    ...(now ? { now } : {}),
    ...(random
      ? { random: (bytes) => Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256)) }
      : {}),
  }
}
