import { ConfabError } from '@confab/core'

/**
 * A package that only one kind of channel needs, and that a relay without such a channel is spared.
 * @throws ConfabError 20001 that says what to install
 */
export async function optionalPackage<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new ConfabError(20001, `This channel needs the package ${name}: npm install ${name}`, { cause })
  }
}
