/** What `confab relay` takes for attachments. */
import { ConfabError } from '@confab/core'
import { type Command, Option } from 'commander'
import type { MediaOptions } from '../media/options.ts'

export interface MediaCommandOptions {
  media: boolean
  mediaFolder?: string
  mediaMaxBytes?: string
  mediaType?: string[]
}

export function addMediaOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--media-folder <folder>', 'where attachments lie; <database>-media when left out').env(
        'CONFAB_MEDIA_FOLDER',
      ),
    )
    .addOption(
      new Option(
        '--media-max-bytes <bytes>',
        'bytes of one attachment, at most; 268435456 when left out',
      ).env('CONFAB_MEDIA_MAX_BYTES'),
    )
    .option(
      '--media-type <type>',
      'type of attachment that is taken, such as image/*; repeatable; any by default',
      (type: string, before: string[] = []) => [...before, type],
    )
    .option('--no-media', 'take no attachments')
}

/** @throws ConfabError 20001 */
export function mediaOf({
  media,
  mediaFolder,
  mediaMaxBytes,
  mediaType,
}: MediaCommandOptions): Partial<MediaOptions> | false {
  if (!media) return false
  if (mediaMaxBytes !== undefined && !/^[1-9]\d{0,14}$/.test(mediaMaxBytes))
    throw new ConfabError(20001, '--media-max-bytes must be a whole number above 0')
  return {
    ...(mediaFolder !== undefined && { directory: mediaFolder }),
    ...(mediaMaxBytes !== undefined && { maxBytes: Number(mediaMaxBytes) }),
    ...(mediaType !== undefined && { types: mediaType }),
  }
}
