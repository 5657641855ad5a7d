import { DatabaseSync } from 'node:sqlite'
import { input } from '@inquirer/prompts'
import { Command } from 'commander'
import { openDB } from 'idb'
import { SignJWT } from 'jose'
import * as decoding from 'lib0/decoding'
import { pino } from 'pino'
import { WebSocketServer } from 'ws'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as awareness from 'y-protocols/awareness'
import * as sync from 'y-protocols/sync'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { z } from 'zod'

const d = new Y.Doc()
export const x: Array<unknown> = [
  new awareness.Awareness(d),
  sync.messageYjsSyncStep1,
  decoding.createDecoder(new Uint8Array()),
  WebsocketProvider,
  IndexeddbPersistence,
  WebSocketServer,
  pino(),
  Command,
  input,
  SignJWT,
  openDB,
  z.string(),
  DatabaseSync,
]
const db = new DatabaseSync(':memory:')
console.log(db.prepare('select sqlite_version() v').get())
