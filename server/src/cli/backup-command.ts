/** `confab backup` and `confab restore`: a copy of a relay's database and of its attachments, and the way back. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfabError } from '@confab/core'
import { type Command, Option } from 'commander'
import type { CopiedContent, ReadyContent } from '../media/backup.ts'
import { administer } from './control.ts'
import { addMediaPlace, type MediaPlace } from './media-options.ts'

interface BackupOptions extends MediaPlace {
  database: string
}

const database = () =>
  new Option('-d, --database <file>', "the relay's SQLite file")
    .default('confab.sqlite')
    .env('CONFAB_DATABASE')

/** Adds both commands to the program. */
export function registerBackup(program: Command): void {
  const backup = program
    .command('backup')
    .description(
      "copy a relay's database as it is at one moment into a new file, and its attachments beside that, whether or not the relay runs",
    )
    .argument('<file>', 'the copy, which must not be there yet; attachments go to <file>-media')
    .addOption(database())
  addMediaPlace(backup).action(backUp)

  const restore = program
    .command('restore')
    .description("put a backup in the place of a relay's database and attachments; the relay must not run")
    .argument('<file>', 'the backup, which stays as it is')
    .addOption(database())
    .option(
      '--force',
      'even if the database that is there has what the backup lacks, and if attachments are lacking in the backup; what is there is kept under another name',
    )
  addMediaPlace(restore)
    .addHelpText(
      'after',
      `
Devices that are ahead of the backup notice when they connect, and bring again what their own people had written, as
far as they keep it: a week, and a thousand operations. What other people had written they offer, and the relay takes
it from service admins, or from those whom 'confab relay --restore-from-members' lets for as long as it runs.`,
    )
    .action(bringBack)
}

async function backUp(file: string, options: BackupOptions): Promise<void> {
  if (!existsSync(options.database)) throw new ConfabError(20001, `there is no database ${options.database}`)
  const { contentFolder } = await import('../media/backup.ts')
  const contents = options.mediaS3 === undefined ? contentFolder(options.database, options.media) : null
  const copied = await administer<CopiedContent>({ database: options.database, contents }, 'backup', {
    file: resolve(file),
  })
  console.log(`${options.database} is backed up to ${file}`)
  if (copied.count > 0)
    console.log(`${copied.count} contents of attachments (${copied.bytes} bytes) are in ${file}-media`)
  if (copied.isElsewhere)
    console.log(
      'attachments are in no folder of the relay, and not in the backup: copy the bucket after this, or let it keep what is deleted',
    )
  if (copied.lacking.length > 0) {
    console.error(
      `confab: ${copied.lacking.length} contents of attachments are not in the relay's folder, or not whole, such as ${copied.lacking[0]}: the backup lacks them`,
    )
    process.exitCode = 1
  }
}

async function bringBack(file: string, options: BackupOptions & { force?: true }): Promise<void> {
  const { restoreDatabase } = await import('../store/sqlite/restore.ts')
  const { contentFolder, readyContent } = await import('../media/backup.ts')
  const isForced = options.force === true
  const folder = contentFolder(options.database, options.media)
  const content = options.mediaS3 === undefined ? await readyContent(file, folder, isForced) : null
  const before = await restored(content, () => restoreDatabase(file, options.database, isForced))
  console.log(`${file} is restored to ${options.database}`)
  if (before !== null) console.log(`what was there before is kept as ${before}`)
  if (!content) {
    console.log('attachments are in a bucket: bring back what was deleted there since the backup')
    return
  }
  const contentBefore = await content.place()
  if (content.count > 0) console.log(`${content.count} contents of attachments are restored to ${folder}`)
  if (contentBefore !== null) console.log(`those that were there before are kept as ${contentBefore}`)
  if (content.lacking.length > 0) console.log(`${content.lacking.length} contents are lacking in the backup`)
}

async function restored(content: ReadyContent | null, restore: () => string | null) {
  try {
    return restore()
  } catch (error) {
    await content?.drop()
    throw error
  }
}
