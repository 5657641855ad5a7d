/** The code of `worker.ts` as one script, where a bundle puts it in place of this; nothing otherwise. */
export const WORKER: string = ''
