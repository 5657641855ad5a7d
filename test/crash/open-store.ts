/** Opens the relay's store at the path of the first argument, dying at the moment of the second. */
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import { dieAt } from './kill-points.ts'

if (process.argv[3]) dieAt(JSON.parse(process.argv[3]))
try {
  await openSqliteStore(process.argv[2] as string).close()
  console.log('opened')
} catch (error) {
  console.log(`${(error as { code?: number }).code} ${(error as Error).message}`)
}
