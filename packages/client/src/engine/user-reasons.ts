/** What of a user differs between two views. Pure. */
import { type Json, jsonEqual } from '@confab/core'
import type { UserUpdateReason, UserView } from './engine.ts'

const NONE: Json = {}

export function userReasons(told: UserView, seen: UserView): UserUpdateReason[] {
  const reasons: UserUpdateReason[] = []
  if (told.record?.friendlyName !== seen.record?.friendlyName) reasons.push('friendlyName')
  if (!jsonEqual(told.record?.attributes ?? NONE, seen.record?.attributes ?? NONE)) reasons.push('attributes')
  if (told.online !== seen.online) reasons.push('reachabilityOnline')
  if (told.notifiable !== seen.notifiable) reasons.push('reachabilityNotifiable')
  return reasons
}
