/** API keys on the command line and in the environment: `sid=secret`, or `account/sid=secret`. */
import { ConfabError } from '@confab/core'
import type { ConfiguredKeys } from '../token.ts'

/** Collects a repeatable option. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value]

/** Splits what an environment variable holds in one line. */
export const commaSeparated = (text: string | undefined): string[] =>
  (text ?? '').split(',').filter((part) => part !== '')

/** @throws ConfabError 20001 for one without a sid or a secret; the secret is not repeated */
export function parseKeys(pairs: readonly string[]): ConfiguredKeys {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1 || at === pair.length - 1) {
        throw new ConfabError(
          20001,
          'an API key is written as sid=secret, such as --key SKdemo=abc…, or as account/sid=secret',
        )
      }
      const secret = pair.slice(at + 1)
      const [sid = '', account] = pair.slice(0, at).split('/', 2).reverse()
      return [sid, account === undefined ? secret : { secret, accountSid: account }]
    }),
  )
}

/** @throws ConfabError 20001 */
export function keyMissing(): never {
  throw new ConfabError(20001, 'an API key is needed: --key sid=secret, CONFAB_KEYS, or --demo')
}
