import type { Peers } from './storage.ts'

/**
 * News over the platform's BroadcastChannel: every other tab, or every other client of this Node process, that
 * opened a channel of this name. A platform without one has no peers.
 */
export function broadcastPeers(name: string): Peers {
  if (typeof BroadcastChannel === 'undefined') return { post() {}, onMessage() {}, close() {} }
  const channel = new BroadcastChannel(name)
  let open = true
  // Node's channel would keep the process alive; the browser's has no such method
  if ('unref' in channel && typeof channel.unref === 'function') channel.unref()
  return {
    post(message) {
      if (open) channel.postMessage(message)
    },
    onMessage(listener) {
      channel.addEventListener('message', (event) => {
        if (open) listener((event as MessageEvent).data)
      })
    },
    close() {
      open = false
      channel.close()
    },
  }
}
