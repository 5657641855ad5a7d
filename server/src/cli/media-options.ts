/** What `confab relay` is told of attachments. */
import { ConfabError } from '@confab/core'
import { type Command, Option } from 'commander'
import type { MediaOptions } from '../media/options.ts'

/** Where attachments lie. */
export interface MediaPlace {
  media?: string
  mediaS3?: string
}

export interface MediaCommandOptions extends MediaPlace {
  mediaBytes?: string
  mediaTypes?: string
  mediaTotal?: string
  mediaS3Region?: string
  mediaS3Key?: string
  mediaS3Secret?: string
}

/** Adds the options that say where attachments lie to a command. */
export function addMediaPlace(command: Command): Command {
  return command
    .addOption(
      new Option('--media <folder>', 'where attachments lie; beside the database when left out').env(
        'CONFAB_MEDIA',
      ),
    )
    .addOption(
      new Option(
        '--media-s3 <url>',
        'bucket for attachments, as https://s3.example.org/bucket or …/bucket/prefix; uploads under way stay in the folder',
      ).env('CONFAB_MEDIA_S3'),
    )
}

/** Adds all options to a command. */
export function addMediaOptions(command: Command): Command {
  return addMediaPlace(command)
    .addOption(
      new Option(
        '--media-bytes <size>',
        'the largest attachment that is taken, such as 500M; 256M by default',
      ).env('CONFAB_MEDIA_BYTES'),
    )
    .addOption(
      new Option(
        '--media-total <size>',
        'what all attachments may take together, such as 200G; as much as the disk has by default',
      ).env('CONFAB_MEDIA_TOTAL'),
    )
    .addOption(
      new Option(
        '--media-types <types>',
        "types that are taken, comma-separated, such as 'image/*,application/pdf'; all by default",
      ).env('CONFAB_MEDIA_TYPES'),
    )
    .addOption(new Option('--media-s3-region <region>', 'region of the bucket').env('CONFAB_MEDIA_S3_REGION'))
    .addOption(new Option('--media-s3-key <id>', 'access key of the bucket').env('CONFAB_MEDIA_S3_KEY'))
    .addOption(
      new Option('--media-s3-secret <secret>', 'its secret, better kept in the environment').env(
        'CONFAB_MEDIA_S3_SECRET',
      ),
    )
}

/** @throws ConfabError 20001 for what can't be meant */
export async function mediaOf(options: MediaCommandOptions): Promise<Partial<MediaOptions>> {
  const { media, mediaBytes, mediaTotal, mediaTypes, mediaS3 } = options
  return {
    ...(media !== undefined && { directory: media }),
    ...(mediaBytes !== undefined && { maxBytes: bytesOf('--media-bytes', mediaBytes) }),
    ...(mediaTotal !== undefined && { maxTotalBytes: bytesOf('--media-total', mediaTotal) }),
    ...(mediaTypes !== undefined && { types: mediaTypes.split(',').map((type) => type.trim()) }),
    ...(mediaS3 !== undefined && { store: await bucketOf(mediaS3, options) }),
  }
}

async function bucketOf(url: string, options: MediaCommandOptions): Promise<MediaOptions['store']> {
  const { mediaS3Region: region, mediaS3Key: accessKeyId = '', mediaS3Secret: secretAccessKey = '' } = options
  if (accessKeyId === '' || secretAccessKey === '')
    throw new ConfabError(20001, '--media-s3 needs CONFAB_MEDIA_S3_KEY and CONFAB_MEDIA_S3_SECRET')
  const { s3Blobs } = await import('../media/s3-blobs.ts')
  return s3Blobs({ url, accessKeyId, secretAccessKey, ...(region !== undefined && { region }) })
}

const UNITS: { [unit: string]: number } = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/** @throws ConfabError 20001 */
function bytesOf(option: string, text: string): number {
  const [, number, unit = ''] = /^(\d{1,12})([KMGT]?)$/i.exec(text) ?? []
  const bytes = Number(number) * (UNITS[unit.toUpperCase()] ?? 1)
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new ConfabError(20001, `${option} must be bytes, or with K, M, G or T behind it: 500M`)
  return bytes
}
