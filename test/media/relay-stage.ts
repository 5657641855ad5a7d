/** A real relay with a folder of its own, and plain HTTP to its attachments. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RelayOptions } from '@confab/relay'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { sha256, whenDone } from './stage.ts'

export interface Stored extends TestRelay {
  /** Files of content that lie there, by their hash. */
  content(): Promise<string[]>
  /** Files of uploads that lie there. */
  uploads(): Promise<string[]>
  /** Where content and uploads lie. */
  folder(): string
  /** The same database and folder, opened again. */
  again(options?: Partial<RelayOptions>): Promise<Stored>
}

/** A folder that goes at the end of the test. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'confab-media-relay-'))
  whenDone(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function relayOnDisk(options: Partial<RelayOptions> = {}, given?: string): Promise<Stored> {
  const folder = given ?? (await newFolder())
  const open = async (more: Partial<RelayOptions>): Promise<Stored> => {
    const relay = await startRelay({ database: join(folder, 'relay.sqlite'), ...options, ...more })
    whenDone(() => relay.close())
    const files = async (name: string) => {
      const found = await readdir(join(folder, 'relay.sqlite-media', name), {
        recursive: true,
        withFileTypes: true,
      }).catch(() => [])
      return found.filter((entry) => entry.isFile()).map((entry) => entry.name)
    }
    return Object.assign(relay, {
      folder: () => join(folder, 'relay.sqlite-media'),
      content: () => files('content'),
      uploads: () => files('uploads'),
      again: async (next: Partial<RelayOptions> = {}) => {
        await relay.close()
        return open({ port: Number(new URL(relay.url).port), ...next })
      },
    })
  }
  return open({})
}

export const newMediaSid = (): string => `ME${randomBytes(16).toString('hex')}`

export interface Described {
  sid: string
  conversation: string
  filetype: string
  sha256: string
  filename?: string
}

export const described = (
  conversation: string,
  bytes: Uint8Array,
  more: Partial<Described> = {},
): Described => ({
  sid: newMediaSid(),
  conversation,
  filetype: 'image/png',
  sha256: sha256(bytes),
  ...more,
})

/**
 * Somebody at the relay's HTTP, with no SDK.
 * @param given another token than the identity's in the default service
 */
export async function httpOf(identity: string, relay: { httpUrl: string }, given?: string) {
  const token = given ?? (await tokenFor(identity))
  const ask = (
    method: string,
    path: string,
    headers: { [name: string]: string } = {},
    body?: Uint8Array | string,
  ) =>
    fetch(new URL(path, relay.httpUrl), {
      method,
      headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', ...headers },
      ...(body !== undefined && { body: body as BodyInit }),
    })
  const create = (metadata: object, length: number) =>
    ask('POST', '/media/uploads', {
      'upload-length': String(length),
      'upload-metadata': Object.entries(metadata)
        .map(([name, value]) => `${name} ${Buffer.from(String(value)).toString('base64')}`)
        .join(','),
    })
  const patch = (upload: string, offset: number, bytes: Uint8Array) =>
    ask(
      'PATCH',
      upload,
      { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
      bytes,
    )
  /** Brings all of it; gives where it went. */
  const bring = async (metadata: object, bytes: Uint8Array): Promise<string> => {
    const made = await create(metadata, bytes.length)
    if (made.status !== 201) throw new Error(`${made.status} ${await made.text()}`)
    const upload = made.headers.get('location') as string
    if (bytes.length > 0) {
      const patched = await patch(upload, 0, bytes)
      if (patched.status !== 204) throw new Error(`${patched.status} ${await patched.text()}`)
    }
    return upload
  }
  const state = async (sid: string) => (await ask('GET', `/media/${sid}/state`)).json()
  const codeOf = async (response: Response) => ((await response.json()) as { code: number }).code
  return { authorization: `Bearer ${token}`, ask, create, patch, bring, state, codeOf }
}
