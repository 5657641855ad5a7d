/** One showing in a page that was just opened. */
import { indexedDB } from '@confab/client'
import type { Where } from '../client/device.ts'
import { show } from './showing.ts'

export const showIn = (where: Where, newest: number): Promise<number> => show(where, indexedDB(), newest)
