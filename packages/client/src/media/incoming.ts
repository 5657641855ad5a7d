/** What an app gives to be attached: a form with files, or content with its type and name. */
import { ConfabError, cleanFileName, DEFAULT_LIMITS } from '@confab/core'
import type { MediaCategory, SendMediaOptions } from '../types.ts'

export interface Incoming {
  category: MediaCategory
  content: Blob
  contentType: string
  filename?: string
}

/** Characters of a content type: an operation's names. */
const { nameLength: NAME } = DEFAULT_LIMITS
const UNKNOWN_TYPE = 'application/octet-stream'

/** @throws ConfabError 20001 when there is no file in it, or it is of another kind */
export function incoming(category: MediaCategory, payload: FormData | SendMediaOptions): Incoming[] {
  if (typeof FormData !== 'undefined' && payload instanceof FormData) {
    const files = [...payload.values()].filter((value) => typeof value !== 'string')
    if (files.length === 0) throw new ConfabError(20001, 'There is no file in the form')
    return files.map((file) => make(category, file, file.type, file.name))
  }
  if (typeof payload !== 'object' || payload === null)
    throw new ConfabError(20001, 'An attachment must be a form or an object')
  const { media, contentType, filename } = payload as SendMediaOptions
  const content = blobOf(media)
  const name = filename ?? (typeof File !== 'undefined' && media instanceof File ? media.name : undefined)
  return [make(category, content, contentType || content.type, name)]
}

function blobOf(media: unknown): Blob {
  if (media instanceof Blob) return media
  if (typeof media === 'string') return new Blob([media])
  if (media instanceof ArrayBuffer || ArrayBuffer.isView(media))
    return new Blob([media as Uint8Array<ArrayBuffer>])
  throw new ConfabError(20001, 'The content of an attachment must be a Blob, bytes or a string')
}

function make(category: MediaCategory, content: Blob, type: string, filename: string | undefined): Incoming {
  const contentType = cleanType(type)
  const name = filename === undefined ? '' : cleanFileName(filename)
  return { category, content, contentType, ...(name && { filename: name }) }
}

/** `type/subtype` and its parameters, in lower case up to these. */
function cleanType(type: string): string {
  const [, essence, rest = ''] = /^\s*([\w.+-]+\/[\w.+-]+)\s*((?:;[\x20-\x7e]*)?)$/.exec(type) ?? []
  const clean = essence ? essence.toLowerCase() + rest.trimEnd() : UNKNOWN_TYPE
  return clean.length > NAME ? (essence as string).toLowerCase().slice(0, NAME) : clean
}
