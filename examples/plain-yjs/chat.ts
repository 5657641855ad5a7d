// A conversation with nothing but yjs and y-websocket: node chat.ts <relay url> <conversation sid> <token> [state file]
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const [url = '', sid = '', token = '', file = `${sid}.ydoc`] = process.argv.slice(2)
const identity = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).grants.identity
const doc = new Y.Doc()
try {
  Y.applyUpdate(doc, readFileSync(file))
} catch {
  /* the first start */
}
doc.on('update', () => writeFileSync(file, Y.encodeStateAsUpdate(doc)))

const messages = doc.getArray<{ index: number; author: string; body?: string }>('messages')
const outbox = doc.getArray(`outbox/${encodeURIComponent(identity)}`)
let shown = -1
const show = () => {
  for (const { index, author, body } of messages.toArray().sort((a, b) => a.index - b.index)) {
    if (index <= shown) continue
    console.log(`${index} ${author}: ${body ?? ''}`)
    shown = index
  }
}
messages.observe(show)
show()

const provider = new WebsocketProvider(`${url}/yjs`, sid, doc, { params: { token } })
provider.on('closed', ({ code, reason }) => console.log(`closed for good: ${code} ${reason}`))
const newId = () =>
  `${Date.now().toString(16).padStart(12, '0')}7${crypto.randomUUID().replaceAll('-', '').slice(13)}`
createInterface({ input: process.stdin })
  .on('line', (body) => outbox.push([{ id: newId(), type: 'message.post', dateWritten: Date.now(), body }]))
  .on('close', () => {
    provider.destroy()
    doc.destroy() // its awareness keeps a timer
  })
