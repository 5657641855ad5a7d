/** What administrators wrote down about our addresses (`Configuration/Addresses` of the REST API), as channels read it. */
import type { ObjectStore } from '../store/objects.ts'
import type { AddressConfiguration } from './inbound.ts'

export const ADDRESS = 'address'

export interface StoredAddress {
  address: string
  autoCreation: {
    /** Whether a stranger's message begins a conversation, with them alone in it. */
    enabled: boolean
    /** In which service; one of the account that wrote it down. */
    serviceSid: string
  }
}

/** Undefined: nothing is written down of the address in this service. */
export async function storedAddress(
  objects: ObjectStore,
  serviceSid: string,
  address: string,
): Promise<AddressConfiguration | undefined> {
  for (const { value } of await objects.all(ADDRESS)) {
    const { autoCreation, address: configured } = value as unknown as StoredAddress
    if (configured !== address || autoCreation.serviceSid !== serviceSid) continue
    return { address, autoCreate: autoCreation.enabled && { identities: [] } }
  }
  return undefined
}
