import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type Bucket, openBucket } from '../../../test/support/bucket.ts'
import { blobSuite, hashOf } from './blob-suite.ts'
import { s3Blobs } from './s3-blobs.ts'

const buckets: Bucket[] = []
afterEach(async () => {
  for (const bucket of buckets.splice(0)) await bucket.close()
})

async function bucketIn(folder: string): Promise<Bucket> {
  const bucket = await openBucket(join(folder, 'bucket'))
  buckets.push(bucket)
  return bucket
}

blobSuite('A bucket', async (folder) => s3Blobs(await bucketIn(folder)))
blobSuite('A part of a bucket', async (folder) => {
  const bucket = await bucketIn(folder)
  return s3Blobs({ ...bucket, url: `${bucket.url}/relays/1/` })
})

async function stage() {
  const folder = mkdtempSync(join(tmpdir(), 'confab-bucket-'))
  const bucket = await bucketIn(folder)
  const file = join(folder, 'arrived')
  const content = randomBytes(1000)
  writeFileSync(file, content)
  return { bucket, file, hash: hashOf(content), done: () => rmSync(folder, { recursive: true }) }
}

it('says what the bucket says of a wrong key, and keeps the file', async () => {
  const { bucket, file, hash, done } = await stage()
  const blobs = s3Blobs({ ...bucket, secretAccessKey: 'not this one' })
  const refusal = await blobs.put(hash, file).catch((error) => error)
  expect(refusal).toMatchObject({
    code: 70502,
    message: expect.stringContaining('403 SignatureDoesNotMatch'),
  })
  expect(refusal.message).not.toContain('not this one')
  expect(existsSync(file)).toBe(true)
  await expect(blobs.read(hash)).rejects.toMatchObject({ code: 70502 })
  done()
})

it('tells a bucket that is missing from content that is', async () => {
  const { bucket, hash, done } = await stage()
  const blobs = s3Blobs({ ...bucket, url: bucket.url.replace('attachments', 'nowhere') })
  await expect(blobs.read(hash)).rejects.toMatchObject({
    code: 70502,
    message: expect.stringContaining('no such bucket'),
  })
  done()
})

it('says that nobody answers', async () => {
  const { bucket, file, hash, done } = await stage()
  await bucket.close()
  buckets.length = 0
  await expect(s3Blobs(bucket).put(hash, file)).rejects.toMatchObject({
    code: 70502,
    message: expect.stringContaining('ECONNREFUSED'),
  })
  expect(existsSync(file)).toBe(true)
  done()
})

it.each([
  'attachments',
  'ftp://s3.example.org/attachments',
  'https://s3.example.org',
  'https://key:secret@s3.example.org/attachments',
  'https://s3.example.org/attachments?x',
])('does not take %s for a bucket', (url) => {
  expect(() => s3Blobs({ url, accessKeyId: 'a', secretAccessKey: 'b' })).toThrow('named like')
})
