/** A conversation of a real relay whose oldest messages are sealed, and its pages over HTTP. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { HISTORY_PATH, messageSidOf, type Operation } from '@confab/core'
import { manifestOf, tiny } from '../../server/test/support/history.ts'
import { createConversation } from '../support/conversation.ts'
import { post } from '../support/operations.ts'
import type { Reader } from '../support/reader.ts'

export { tiny }

export interface SealedConversation {
  sid: string
  creator: Reader
  /** Of the messages, by index. */
  sids: string[]
}

/** The first of the members posts these, one after the other, and they are sealed. The relay has the bounds of `tiny`. */
export async function sealedConversation(
  url: string,
  members: readonly [creator: string, ...others: string[]],
  bodies: readonly string[],
): Promise<SealedConversation> {
  const { sid, creator } = await createConversation(url, members)
  const posts: Operation[] = bodies.map(post)
  await creator.accepted(...posts)
  await sealed(creator)
  return { sid, creator, sids: posts.map(({ id }) => messageSidOf(id)) }
}

/** Resolves when no more messages are live than may be, and no page is to be made anew. */
export async function sealed(reader: Reader): Promise<void> {
  await reader.peer.when(() => {
    const isMade = manifestOf(reader.doc).pages.every(({ count, hash }) => count === 0 || hash !== '')
    return isMade && reader.doc.getArray('messages').length <= tiny.messages
  }, 'sealing')
}

export const hashesOf = ({ doc }: Reader): string[] => manifestOf(doc).pages.map(({ hash }) => hash)

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** What a plain request is answered, as it comes: nothing is inflated. */
export function ask(
  url: string,
  path: string,
  headers: { [name: string]: string } = {},
  method = 'GET',
): Promise<Answer> {
  const address = new URL(path, url.replace(/^ws/, 'http'))
  return new Promise((resolve, reject) => {
    const asking = request(address, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body: Buffer.concat(parts) })
      })
    })
    asking.on('error', reject).end()
  })
}

export const pathTo = (sid: string, hash: string): string => `${HISTORY_PATH}/${sid}/${hash}`

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
