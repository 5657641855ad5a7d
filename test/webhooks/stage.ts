/** A relay, the official package, and a webhook's server, all on this machine. */
import type { RelayOptions } from '@confab/relay'
import { afterEach } from 'vitest'
import { onStage, pointed, type Stage } from '../rest/stage.ts'
import { WebhookServer } from './webhook-server.ts'

export * from '../rest/stage.ts'

const servers: WebhookServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

export async function webhookServer(): Promise<WebhookServer> {
  const server = await WebhookServer.start()
  servers.push(server)
  return server
}

/** Asks with `X-Twilio-Webhook-Enabled`, as each call of the official package can. */
export const HEARD = { xTwilioWebhookEnabled: 'true' } as const

export async function withServer(
  options: Partial<RelayOptions> = {},
): Promise<Stage & { server: WebhookServer }> {
  const server = await webhookServer()
  const stage = await onStage({
    ...options,
    webhooks: { allowPrivateTargets: true, firstRetry: 5, longestRetry: 20, ...options.webhooks },
  })
  return Object.assign(stage, { server, rest: pointed(stage) })
}
