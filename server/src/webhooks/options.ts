/** How webhooks are asked and told. */

export interface WebhookOptions {
  /**
   * Whether webhooks may be at private, loopback and link-local addresses: false by default, because whoever may
   * configure a webhook could make the relay ask its own network.
   */
  allowPrivateTargets: boolean
  /** Milliseconds that a webhook has for a pre-event. Default 5,000, as Twilio's. */
  preTimeout: number
  /** What becomes of an operation whose pre-event webhook did not answer: `publish` by default, as with Twilio. */
  onTimeout: 'publish' | 'refuse'
  /** Milliseconds that a webhook has for a post-event. Default 10,000. */
  timeout: number
  /** Tries until an event is given up. Default 12: about an hour. */
  attempts: number
  /** Milliseconds before the second try, doubling up to the longest. Defaults 1,000 and 900,000. */
  firstRetry: number
  longestRetry: number
  /** Milliseconds after which an event that fails is not tried again. Default a day. */
  expiry: number
  /** Requests under way at a time, to one server and in all. Defaults 8 and 128. */
  perTarget: number
  concurrency: number
  /** Events that were given up and are kept, the newest. Default 100,000. */
  mostDead: number
}

export const DEFAULT_WEBHOOKS: Readonly<WebhookOptions> = Object.freeze({
  allowPrivateTargets: false,
  preTimeout: 5000,
  onTimeout: 'publish',
  timeout: 10_000,
  attempts: 12,
  firstRetry: 1000,
  longestRetry: 900_000,
  expiry: 24 * 60 * 60 * 1000,
  perTarget: 8,
  concurrency: 128,
  mostDead: 100_000,
})
