/** The time of a session, passed in: tests turn it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds since any moment, by a clock that nobody sets: for how long something took. */
  elapsed(): number
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  /** Runs once everything that this turn of the event loop brought has been handled. */
  defer(run: () => void): void
}

// Node takes longer delays as 1 ms.
const LONGEST_TIMEOUT = 2 ** 31 - 1

/** Every connection has two of them, for as long as it lasts: nothing is kept beside the timer. */
function afterShort(milliseconds: number, run: () => void): () => void {
  const timer = setTimeout(run, milliseconds)
  return () => clearTimeout(timer)
}

function afterLong(milliseconds: number, run: () => void): () => void {
  let timer: NodeJS.Timeout
  const wait = (left: number) => {
    const step = Math.min(left, LONGEST_TIMEOUT)
    timer = setTimeout(() => (left > step ? wait(left - step) : run()), step)
  }
  wait(milliseconds)
  return () => clearTimeout(timer)
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(milliseconds, run) {
    return milliseconds > LONGEST_TIMEOUT ? afterLong(milliseconds, run) : afterShort(milliseconds, run)
  },
  defer: (run) => setImmediate(run),
}
