/** `@hocuspocus/server` with its database extension and the statements of its SQLite extension, on `node:sqlite`. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { peer } from '../peers.ts'
import { updatesOf } from './peer-document.ts'
import { documentNames, serving, task } from './serve.ts'

const { Server } = await peer('@hocuspocus/server')
const { Database } = await peer('@hocuspocus/extension-database')
const Y = await peer('yjs')

const db = new DatabaseSync(join(task.folder, 'documents.db'))
db.exec('CREATE TABLE IF NOT EXISTS documents (name varchar(255) NOT NULL, data blob NOT NULL, UNIQUE(name))')
const select = db.prepare('SELECT data FROM documents WHERE name = ? ORDER BY rowid DESC')
const upsert = db.prepare(
  'INSERT INTO documents (name, data) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET data = excluded.data',
)

if (task.fill) {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updatesOf(task.fill as number)) Y.applyUpdate(doc, update)
  })
  const state = Y.encodeStateAsUpdate(doc)
  for (const name of documentNames(task)) upsert.run(name, state)
}
const server = new Server({
  port: 0,
  address: '127.0.0.1',
  quiet: true,
  stopOnSignals: false,
  extensions: [
    new Database({
      fetch: async ({ documentName }: { documentName: string }) => select.get(documentName)?.data ?? null,
      store: async ({ documentName, state }: { documentName: string; state: Uint8Array }) =>
        void upsert.run(documentName, state),
    }),
  ],
})
await server.listen()
serving(`ws://127.0.0.1:${server.address.port}`, documentNames(task))
