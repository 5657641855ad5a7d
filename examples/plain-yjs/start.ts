// Serves the page for two people, with a relay and a conversation of theirs.
import { hostPage } from '../page-host.ts'

const { url, conversation, tokenFor } = await hostPage(import.meta.dirname, 'plain-yjs')
const members = new Set((await conversation.getParticipants()).map(({ identity }) => identity))
for (const identity of ['ann', 'ben']) {
  if (!members.has(identity)) await conversation.add(identity)
  const address = new URLSearchParams({ sid: conversation.sid, identity, token: await tokenFor(identity) })
  console.log(`\n${identity}: ${url}/#${address}`)
}
console.log(
  '\nOpen the two in two windows. ^C ends the relay: what is written then waits, and goes when it is back.',
)
