/** y-websocket 2 as its own `bin/server` starts it, with leveldb. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { peer } from '../peers.ts'
import { updatesOf } from './peer-document.ts'
import { documentNames, serving, task } from './serve.ts'

process.env.YPERSISTENCE = join(task.folder, 'leveldb')
const { setupWSConnection, getPersistence } = await peer('y-websocket/bin/utils')
const Y = await peer('yjs')

/** Documents that would be as many transactions as this are stored as after a restart: as one update each. */
const AS_POSTED = 200_000

if (task.fill) {
  const names = documentNames(task)
  const { provider } = getPersistence()
  const isOne = task.fill * names.length > AS_POSTED
  const updates = [...updatesOf(task.fill)]
  const doc = new Y.Doc()
  if (isOne) doc.transact(() => updates.forEach((update) => void Y.applyUpdate(doc, update)))
  for (const name of names) {
    for (const update of isOne ? [Y.encodeStateAsUpdate(doc)] : updates) provider.storeUpdate(name, update)
    await provider.getStateVector(name)
  }
}
const http = createServer()
new WebSocketServer({ server: http }).on('connection', setupWSConnection)
http.listen(0, '127.0.0.1', () =>
  serving(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, documentNames(task)),
)
