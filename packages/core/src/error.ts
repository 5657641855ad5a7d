/** One error type for every room of the house, and the table of its codes. */

/** What each code means. Codes below 60000 are Twilio's; 70000 and above are Confab's own. */
export const ERROR_CODES = {
  20001: { status: 400, title: 'Invalid parameter' },
  20003: { status: 401, title: 'Authentication failed' },
  20004: { status: 405, title: 'Method not allowed' },
  20104: { status: 401, title: 'Access token expired' },
  20403: { status: 403, title: 'Not permitted' },
  20404: { status: 404, title: 'Not found' },
  20429: { status: 429, title: 'Too many requests' },
  20500: { status: 500, title: 'Internal error' },
  50201: { status: 409, title: 'User already exists' },
  50353: { status: 409, title: 'Unique name is taken' },
  50375: { status: 400, title: 'Invalid timer' },
  50376: { status: 400, title: 'Timer below its minimum' },
  50377: { status: 400, title: 'Invalid conversation state' },
  50382: { status: 400, title: 'Conversation is closed' },
  50407: { status: 400, title: 'Invalid messaging binding address' },
  50408: { status: 400, title: 'Invalid messaging binding proxy address' },
  50409: { status: 400, title: 'Address and proxy address are the same' },
  50414: { status: 400, title: 'Messaging binding types do not match' },
  50416: { status: 409, title: 'Address pair is in use by another conversation' },
  50417: { status: 400, title: 'Too many participants' },
  50418: { status: 400, title: 'Too many non-chat participants' },
  50422: { status: 400, title: 'Too many conversations for this identity' },
  50425: { status: 409, title: 'Address pair is in use in this conversation' },
  50430: { status: 403, title: 'Not a participant of this conversation' },
  50432: { status: 404, title: 'Participant not found' },
  50433: { status: 409, title: 'Already a participant' },
  50434: { status: 400, title: 'Invalid role' },
  70101: { status: 413, title: 'Message body is too long' },
  70102: { status: 413, title: 'Attributes are too large' },
  70103: { status: 400, title: 'Name is too long' },
  70104: { status: 400, title: 'Malformed text or JSON' },
  70105: { status: 409, title: 'Sid was used before' },
  70106: { status: 413, title: 'Operation is too large' },
  70107: { status: 429, title: 'Too many pending operations' },
  70201: { status: 404, title: 'Not now: unknown, expired, used up or not yet arrived' },
  70202: { status: 410, title: 'Invite has expired' },
  70203: { status: 400, title: 'Malformed invite' },
  70301: { status: 403, title: 'Refused by the application' },
  70302: { status: 503, title: 'The application did not answer in time' },
  70401: { status: 403, title: 'No longer a participant' },
  70402: { status: 409, title: 'An earlier operation that this one needs was refused' },
  70501: { status: 507, title: 'Local storage failed' },
  70502: { status: 503, title: 'The relay could not store it' },
  70601: { status: 400, title: 'Protocol violation' },
  70602: { status: 409, title: 'Client id belongs to another identity' },
  70603: { status: 410, title: 'The document was replaced: load it afresh' },
  70604: { status: 426, title: 'Protocol version is not supported' },
  70605: { status: 502, title: 'A page of history is damaged' },
  70606: { status: 409, title: 'The relay does not have this attachment' },
  70607: { status: 400, title: 'Content is not what its hash says' },
  70608: { status: 413, title: 'Attachment is too large' },
  70609: { status: 415, title: 'Attachments of this type are not taken' },
  70701: { status: 499, title: 'The client was shut down' },
  70702: { status: 501, title: 'This platform lacks what is needed' },
} as const satisfies Record<number, { status: number; title: string }>

/** A stable, numeric error code. */
export type ErrorCode = keyof typeof ERROR_CODES

/** The JSON form of an error, as Twilio's REST API and SDK show it in `error.body`. */
export interface ErrorBody {
  code: number
  message: string
  status: number
}

/**
 * Every error that Confab throws, rejects with, or sends.
 *
 * `code` is stable; `status` is the HTTP status that goes with it; `message` says what was wrong
 * and what to do; `body` repeats the three, because apps written for Twilio read it.
 */
export class ConfabError extends Error {
  override readonly name = 'ConfabError'
  readonly code: ErrorCode
  readonly status: number
  readonly body: ErrorBody

  constructor(code: ErrorCode, message: string = ERROR_CODES[code].title, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.status = ERROR_CODES[code].status
    this.body = { code, message, status: this.status }
  }
}

/** Rebuilds an error that came over the wire or out of a store; an unknown code becomes 20500. */
export function errorFromBody(body: { code: number; message?: string }): ConfabError {
  const code = (body.code in ERROR_CODES ? body.code : 20500) as ErrorCode
  return new ConfabError(code, body.message ?? ERROR_CODES[code].title)
}
