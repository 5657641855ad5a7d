// Opens the form with no network: what was loaded once is kept, and asked for anew whenever there is a network.
const KEPT = 'field-report'

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches.open(KEPT).then(async (cache) => {
      await cache.addAll(['./', 'page.js'])
      await self.skipWaiting()
    }),
  )
})

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { pathname } = new URL(event.request.url)
  const isOfPage = pathname === '/' || pathname.endsWith('.js')
  if (event.request.method === 'GET' && isOfPage) event.respondWith(freshOrKept(event.request))
})

async function freshOrKept(request) {
  const cache = await caches.open(KEPT)
  try {
    const fresh = await fetch(request)
    if (fresh.ok) await cache.put(request, fresh.clone())
    return fresh
  } catch (error) {
    const kept = await cache.match(request)
    if (kept) return kept
    throw error
  }
}
