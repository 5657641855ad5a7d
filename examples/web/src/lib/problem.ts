/** What went wrong, as a sentence for people. */
export function problemText(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: number; message?: string }
  return PLAIN[code ?? 0] ?? message ?? String(error)
}

/** Where the relay speaks to programs. */
const PLAIN: { [code: number]: string } = {
  70608: 'A file is larger than the relay takes',
  70609: 'The relay takes no file of this type',
}

/** Whether this device's storage is what failed. */
export const isOfStorage = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 70501
