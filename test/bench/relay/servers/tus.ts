/** The plain `@tus/server` over files: it knows nobody, hashes nothing and forgets nothing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { serving, task } from './serve.ts'

const tus = new Server({ path: '/files', datastore: new FileStore({ directory: task.folder }) })
const http = createServer((request, response) => void tus.handle(request, response))
http.listen(0, '127.0.0.1', () => serving(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, []))
