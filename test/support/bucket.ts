/** A bucket as Amazon's S3 has them, over a folder. The server takes any signature: what signs for Amazon's own checks it. */
import { createHash, createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { SignatureV4 } from '@smithy/signature-v4'
import S3rver from 's3rver'
import type { S3Options } from '../../server/src/media/s3-blobs.ts'

export interface Bucket extends S3Options {
  close(): Promise<void>
}

const REGION = 'eu-north-1'
/** The only key that s3rver knows. */
const KEY = 'S3RVER'
const SECRET = 'S3RVER'

/** @param directory of its content, which is made */
export async function openBucket(directory: string): Promise<Bucket> {
  mkdirSync(directory, { recursive: true })
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: 'attachments' }],
  })
  server.middleware.unshift(async (context, next) => {
    if (await isSigned(context.req)) return next()
    context.status = 403
    context.body = '<Error><Code>SignatureDoesNotMatch</Code></Error>'
  })
  const { port } = await server.run()
  return {
    url: `http://127.0.0.1:${port}/attachments`,
    region: REGION,
    accessKeyId: KEY,
    secretAccessKey: SECRET,
    close: () => server.close(),
  }
}

class Sha256 {
  readonly #hash
  constructor(secret?: unknown) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array)
  }
  update(data: unknown): void {
    this.#hash.update(data as Uint8Array)
  }
  reset(): void {}
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
}

const signer = new SignatureV4({
  service: 's3',
  region: REGION,
  credentials: { accessKeyId: KEY, secretAccessKey: SECRET },
  sha256: Sha256,
  uriEscapePath: false,
})

async function isSigned({ method = '', url = '/', headers }: IncomingMessage): Promise<boolean> {
  const given = headers.authorization ?? ''
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(given) ?? []
  const { pathname } = new URL(url, 'http://bucket')
  const signed = names.split(';').filter((name) => name !== '')
  const stamp = String(headers['x-amz-date'])
  const at = stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const again = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname: 'bucket',
      path: pathname,
      query: {},
      headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
    },
    { signingDate: new Date(at) },
  )
  return again.headers.authorization === given
}
