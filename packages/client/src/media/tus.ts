/** One file to the relay by tus: a chunk of its own, loaded when something is to be brought there. */
import { type DetailedError, Upload } from 'tus-js-client'
import type { RelayAccess } from './relay.ts'

/** Bytes of one request: a proxy in between may gather it whole. */
const PIECE = 8 * 1024 * 1024
/** Milliseconds before each further attempt that brings nothing further; any that does begins anew. */
const RETRIES = [0, 300, 1000, 3000]

export interface TusUpload {
  content: Blob
  metadata: { [name: string]: string }
  /** Where an earlier one goes on. */
  upload: string | undefined
  /** Told where this one can go on. */
  begun(upload: string): void
  progress(bytes: number): void
  /** What an answer says against it. */
  errorOf(status: number, text: string): Error
  signal: AbortSignal
}

/**
 * Resolves when the relay has all of it, and it is what its hash says.
 * @throws ConfabError what the relay says against it; whatever `signal` was aborted with; otherwise an error of the network
 */
export function upload(relay: RelayAccess, { content, ...what }: TusUpload): Promise<void> {
  return new Promise((resolve, reject) => {
    const one = new Upload(content, {
      endpoint: `${relay.url}/media/uploads`,
      uploadUrl: what.upload ?? null,
      metadata: what.metadata,
      chunkSize: PIECE,
      retryDelays: RETRIES,
      storeFingerprintForResuming: false,
      fileReader: { openFile: async (file: unknown) => reading(file as Blob) } as never,
      async onBeforeRequest(request) {
        request.setHeader('Authorization', `Bearer ${await relay.token()}`)
      },
      onUploadUrlAvailable: () => {
        if (one.url) what.begun(one.url)
      },
      onProgress: (bytes) => what.progress(bytes),
      onShouldRetry: (error) => isPassing(error as DetailedError),
      onSuccess: () => finish(resolve),
      onError: (error) => finish(() => reject(said(error as DetailedError, what.errorOf) ?? error)),
    })
    const abort = () => {
      void one.abort().catch(() => {})
      finish(() => reject(what.signal.reason))
    }
    const finish = (settle: () => void) => {
      what.signal.removeEventListener('abort', abort)
      settle()
    }
    what.signal.addEventListener('abort', abort)
    if (what.signal.aborted) abort()
    else one.start()
  })
}

/** Ends an upload that is not wanted any more. The relay would clear it away in time, too. */
export async function terminate(relay: RelayAccess, url: string): Promise<void> {
  await fetch(url, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${await relay.token()}`, 'tus-resumable': '1.0.0' },
  })
}

/** In Node, tus-js-client sends Buffers; in browsers, Blobs, which aren't read before they are sent. */
function reading(content: Blob) {
  return {
    size: content.size,
    async slice(start: number, end: number) {
      const part = content.slice(start, Math.min(end, content.size))
      const done = end >= content.size
      if (typeof Buffer === 'undefined') return { value: part, done }
      const bytes = Buffer.from(await part.arrayBuffer())
      return { value: Object.assign(bytes, { size: bytes.length }), done }
    },
    close() {},
  }
}

const statusOf = (error: DetailedError): number => error.originalResponse?.getStatus() ?? 0

const isPassing = (error: DetailedError): boolean => {
  const status = statusOf(error)
  return status === 0 || status === 409 || status === 423 || (status >= 500 && status !== 507)
}

function said(error: DetailedError, errorOf: TusUpload['errorOf']): Error | null {
  const status = statusOf(error)
  return status === 0 ? null : errorOf(status, error.originalResponse?.getBody() ?? '')
}
