// Serves the form, with a relay and a conversation that is the report. Whoever has the address may fill it in.
import { hostPage } from '../page-host.ts'

const { url, conversation } = await hostPage(import.meta.dirname, 'field-report')
const invite = await conversation.createInvite({ maxUses: 100, expiresIn: 30 * 24 * 3600 })
console.log(
  `\nOpen this in two windows, as two people:\n\n${url}/#${invite}\n\n^C ends the relay; the form goes on.`,
)
