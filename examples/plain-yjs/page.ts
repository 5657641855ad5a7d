// A conversation with nothing but Yjs's own packages: read live, written offline too, kept in IndexedDB.
import { IndexeddbPersistence } from 'y-indexeddb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const at = new URLSearchParams(location.hash.slice(1))
const [sid, identity, token] = [at.get('sid') ?? '', at.get('identity') ?? '', at.get('token') ?? '']
const doc = new Y.Doc()
new IndexeddbPersistence(`${identity} ${sid}`, doc)
new WebsocketProvider(`${location.origin.replace('http', 'ws')}/yjs`, sid, doc, { params: { token } })

const messages = doc.getArray<{ index: number; author: string; body: string }>('messages')
const outbox = doc.getArray<{ [key: string]: unknown }>(`outbox/${encodeURIComponent(identity)}`)
doc.on('update', () => {
  const accepted = [...messages].sort((a, b) => a.index - b.index)
  const waiting = [...outbox].map(({ body }) => `${body} (waits)`)
  const lines = [...accepted.map(({ author, body }) => `${author}: ${body}`), ...waiting]
  document.querySelector('pre')!.textContent = lines.join('\n')
})
document.querySelector('form')!.onsubmit = ({ target }) => {
  const body = String(new FormData(target as HTMLFormElement).get('body'))
  const id = crypto.randomUUID().replaceAll('-', '')
  outbox.push([{ id, type: 'message.post', dateWritten: Date.now(), body }])
  return false
}
