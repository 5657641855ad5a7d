// Keeps the app itself, so that it opens with no network. What people write is none of this file's business: the SDK
// keeps that. `VERSION` and `FILES` are put in front by the build.
/* global VERSION, FILES */

const CACHE = `confab-${VERSION}`

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  const old = (names) => names.filter((name) => name.startsWith('confab-') && name !== CACHE)
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin || pathname === '/demo/token') return
  if (request.mode === 'navigate') {
    // the newest app when there is a network; the kept one when there is none
    event.respondWith(fetch(request).catch(() => caches.match('/')))
  } else if (FILES.includes(pathname)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)))
  }
})
