/** Sets a timer that doesn't keep a Node process alive; cancel it by the function returned. */
export function backgroundTimer(milliseconds: number, run: () => void): () => void {
  const timer: unknown = setTimeout(run, milliseconds)
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref()
  return () => clearTimeout(timer as ReturnType<typeof setTimeout>)
}
