/** What went wrong, as a sentence for people. */
export const problemText = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Whether this device's storage is what failed. */
export const isOfStorage = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 70501
