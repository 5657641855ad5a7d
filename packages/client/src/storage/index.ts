/** The storages that an app can choose from. `#directory` is Node's, or an error in a browser (package.json). */
export { directory } from '#directory'
export { defaultStorage } from './default.ts'
export { indexedDB } from './indexed-db.ts'
export { memory } from './memory.ts'
