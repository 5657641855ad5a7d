/** Blobs as objects of a bucket: Amazon's S3, or whatever speaks like it. */
import { openAsBlob } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { ConfabError } from '@confab/core'
import { AwsClient } from 'aws4fetch'
import type { BlobStore } from './blobs.ts'

export interface S3Options {
  /** Where the bucket is, its name, and what its keys begin with: `https://s3.example.org/bucket/confab`. */
  url: string
  /** Default: `us-east-1`, which is what most that aren't Amazon's expect. */
  region?: string
  accessKeyId: string
  secretAccessKey: string
}

/** Attempts again after an answer of 5xx or 429, a little later each time. */
const RETRIES = 3
/** Milliseconds until an answer begins; content itself may take as long as it likes. */
const PATIENCE = 30_000
/** Bytes of an answer that says what is wrong. */
const COMPLAINT = 4096

/**
 * The whole of a blob goes in one request, so one has 5 GB at most with Amazon. Its hash is signed with it: the bucket
 * refuses what was damaged on the way.
 * @throws ConfabError 20001 for a configuration that can't work
 */
export function s3Blobs({ url, region = 'us-east-1', accessKeyId, secretAccessKey }: S3Options): BlobStore {
  const base = baseOf(url)
  if (!accessKeyId || !secretAccessKey)
    throw new ConfabError(20001, 'A bucket needs accessKeyId and secretAccessKey')
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: RETRIES })
  const ask = async (hash: string, init: RequestInit): Promise<Response> => {
    const abort = new AbortController()
    // a body under way has no end that could be known ahead
    const timer = init.body ? undefined : setTimeout(() => abort.abort(), PATIENCE)
    try {
      return await client.fetch(`${base}/${hash}`, { redirect: 'error', signal: abort.signal, ...init })
    } catch (error) {
      throw unreachable(base, error)
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    async put(hash, file) {
      const known = await ask(hash, { method: 'HEAD' })
      if (!known.ok) {
        const answer = await ask(hash, {
          method: 'PUT',
          body: await openAsBlob(file),
          headers: { 'x-amz-content-sha256': hash },
        })
        if (!answer.ok) throw await refused(base, answer)
        await answer.body?.cancel()
      }
      await rm(file, { force: true })
    },
    async read(hash, range) {
      const headers = range && { range: `bytes=${range.start}-${range.end}` }
      const answer = await ask(hash, { method: 'GET', ...(headers && { headers }) })
      if (answer.status === 404) {
        const complaint = await complaintOf(answer)
        if (complaint.includes('NoSuchBucket')) throw unreachable(base, new Error('there is no such bucket'))
        return null
      }
      if (answer.status !== (range ? 206 : 200)) throw await refused(base, answer)
      const part = answer.headers.get('content-range')
      if (range && !part?.startsWith(`bytes ${range.start}-${range.end}/`))
        throw unreachable(base, new Error(`it gave ${part} for bytes ${range.start}-${range.end}`))
      return answer.body ? Readable.fromWeb(answer.body as ReadableStream) : Readable.from([])
    },
    async delete(hash) {
      const answer = await ask(hash, { method: 'DELETE' })
      if (!answer.ok && answer.status !== 404) throw await refused(base, answer)
      await answer.body?.cancel()
    },
  }
}

/** @throws ConfabError 20001 */
function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null
  const isPlain = parsed && !parsed.username && !parsed.search && !parsed.hash
  if (!isPlain || !/^https?:$/.test(parsed.protocol) || !/^\/[^/]/.test(parsed.pathname))
    throw new ConfabError(20001, 'A bucket is named like https://s3.example.org/bucket or …/bucket/prefix')
  return parsed.href.replace(/\/+$/, '')
}

async function refused(base: string, answer: Response): Promise<ConfabError> {
  const [, code = ''] = /<Code>(\w+)<\/Code>/.exec(await complaintOf(answer)) ?? []
  return unreachable(base, new Error(`it answered ${`${answer.status} ${code}`.trim()}`))
}

const unreachable = (base: string, cause: unknown): ConfabError => {
  const { message = String(cause), cause: deeper } = cause as {
    message?: string
    cause?: { message?: string }
  }
  return Object.assign(new ConfabError(70502, `The bucket ${base} failed: ${deeper?.message || message}`), {
    cause,
  })
}

/** The beginning of what an answer says. */
async function complaintOf({ body }: Response): Promise<string> {
  if (!body) return ''
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > COMPLAINT) break
  }
  return text
}
