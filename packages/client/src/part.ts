import { ConfabError } from '@confab/core'

/**
 * A part of the package that is loaded when it is needed.
 * @throws ConfabError 70702 when it can't be
 */
export async function part<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading
  } catch (cause) {
    throw new ConfabError(70702, 'This part of the package could not be loaded', { cause })
  }
}
