/** Options of the commands that administer a relay's database. */
import { InvalidArgumentError, Option } from 'commander'

export const databaseOption = (): Option =>
  new Option('-d, --database <file>', "the relay's database, whether or not the relay runs on it")
    .default('confab.sqlite')
    .env('CONFAB_DATABASE')

export const sealingKeyOption = (): Option =>
  new Option(
    '--sealing-key <hex>',
    'key that secrets are sealed under when no relay runs, 64 hex digits; a file beside the database when left out',
  ).env('CONFAB_SEALING_KEY')

/** How many lines of a list. */
export function limitOf(text: string): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > 10_000)
    throw new InvalidArgumentError('It must be a whole number from 1 to 10000.')
  return count
}
