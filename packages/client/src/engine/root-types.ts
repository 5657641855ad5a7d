/**
 * Yjs's root types as the bundle for browsers has them (scripts/build/own-yjs.ts): what isn't here is missing there,
 * though it works everywhere else.
 */
import type * as Y from 'yjs'

export type RootMap<Value> = Pick<Y.Map<Value>, 'get' | 'entries' | 'keys' | 'values' | 'toJSON' | '_map'>
export type RootArray<Value> = Pick<Y.Array<Value>, 'toArray' | 'push' | 'delete' | typeof Symbol.iterator>
