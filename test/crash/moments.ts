/** At which exact moment a process is to end: see `kill-points.ts`. */
export interface Moment {
  /** Regular expressions, met in this order by statements' text, or by `socket write`. */
  through: readonly string[]
  /** Before or after the last of them is done. */
  when: 'before' | 'after'
}

/** Before the last of them is done. */
export const before = (...through: string[]): Moment => ({ through, when: 'before' })
/** After the last of them is done. */
export const after = (...through: string[]): Moment => ({ through, when: 'after' })
