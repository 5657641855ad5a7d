import type { Message } from '@confab/client'
import type { IconName } from '../ui/icons.tsx'

/** How far a message has come. */
export function stateOf(message: Message): { icon: IconName; text: string } {
  if (message.status === 'pending') return { icon: 'clock', text: 'waiting to be sent' }
  const delivery = message.aggregatedDeliveryReceipt
  if (delivery && (delivery.failed !== 'none' || delivery.undelivered !== 'none')) {
    return { icon: 'warning', text: 'could not be delivered to everybody' }
  }
  if (delivery?.delivered === 'all') return { icon: 'checks', text: 'delivered' }
  return { icon: 'check', text: 'accepted' }
}
