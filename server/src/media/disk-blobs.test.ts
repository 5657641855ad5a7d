import { join } from 'node:path'
import { blobSuite } from './blob-suite.ts'
import { diskBlobs } from './disk-blobs.ts'

blobSuite('Files', async (folder) => diskBlobs(join(folder, 'content')))
