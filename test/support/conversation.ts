/** A conversation of a real relay, made by its own members over the wire. */
import { newConversation } from './operations.ts'
import { openDocument, type Reader } from './reader.ts'

/** Made by the first of the members, who stays connected, natively. */
export async function createConversation(
  url: string,
  members: readonly [creator: string, ...others: string[]],
  fields: { friendlyName?: string } = {},
): Promise<{ sid: string; creator: Reader }> {
  const [identity, ...others] = members
  const { sid, operations } = newConversation(identity, others, fields)
  const creator = await openDocument('native', url, identity, sid)
  await creator.accepted(...operations)
  return { sid, creator }
}
