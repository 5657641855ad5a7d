/** What the declarations don't say of a member: how it behaves otherwise than Twilio's, and why one is absent. */

const NO_METADATA = 'channels carry the text and say how far it came'
const URL_HERE =
  'an address on the device (`blob:`) when the content is here or small, at the relay otherwise'
const NO_TEMPLATES = 'templates of content are a service of Twilio’s'

/** By `group member`. A note on a member that is absent is its reason. */
export const NOTES: Record<string, string> = {
  'User entityName': 'absent: names an object of Twilio Sync',
  'Client connectionState': 'can’t be assigned',
  'Client reachabilityEnabled': 'always true',
  'Client createConversation':
    'works offline, as every member that changes something; a `uniqueName` that is taken is left out, which `operationRefused` tells (50353); `access` is ignored',
  'Client setPushRegistrationId': 'the relay keeps it; sending is the app’s (`afterCommit`)',
  'Client getTemporaryContentUrlsForMediaSids': URL_HERE,
  'Client getTemporaryContentUrlsForMedia': URL_HERE,
  'Client getContentTemplates': `none: ${NO_TEMPLATES}`,
  'Client (static) populateInitRegistrations': 'does nothing: there is nothing to prepare',
  'Client (events) connectionError': 'carries `errorCode` and `httpStatusCode` where there is one',
  'Conversation bindings': `empty: ${NO_METADATA}`,
  'Conversation addNonChatParticipant':
    'works offline; the relay’s channels send and receive (docs/channels.md)',
  'Conversation getMessageRecipients': `empty: ${NO_METADATA}`,
  'Conversation sendMessage':
    'resolves when it is on the device’s disk, attachments too; these go up when there is a network (`uploadProgress`)',
  'Conversation getParticipantBySid':
    'rejects (50432) where there is none, as Twilio’s does and doesn’t declare',
  'Conversation getParticipantByIdentity':
    'rejects (50432) where there is none, as Twilio’s does and doesn’t declare',
  'Message contentSid': `always null: ${NO_TEMPLATES}`,
  'Message getContentData': `always null: ${NO_TEMPLATES}`,
  'Message getChannelMetadata': `always null: ${NO_METADATA}`,
  'Message getMessageRecipients': `empty: ${NO_METADATA}`,
  'Message aggregatedDeliveryReceipt':
    'what was read counts as delivered too, and what was delivered as sent',
  'Message attachedMedia': '`[]` without attachments, never null',
  'Message attachTemporaryUrlsFor': 'gives its argument: addresses are asked for one by one',
  'Message getTemporaryContentUrlsForMedia': URL_HERE,
  'Message getTemporaryContentUrlsForMediaSids': URL_HERE,
  'Message getTemporaryContentUrlsForAttachedMedia': URL_HERE,
  'Media getContentTemporaryUrl': URL_HERE,
  'UnsentMessage send': 'cancelled while attachments are on their way, the message is held',
  'MessageBuilder setContentTemplate': `sending then rejects (20001): ${NO_TEMPLATES}`,
  'Types ClientOptions': 'Twilio’s are taken and ignored, but for `logLevel`; `url`, `storage`, … are ours',
}
