/** A user document and the profiles that its operations name, as the reducer sees them and as it changes them. */
import {
  type Operation,
  type ProfileRecord,
  PUSH_KEY,
  type PushRegistrationRecord,
  parseDocumentName,
  type SettingRecord,
  type UserChange,
  type UserState,
} from '@confab/core'
import type { DocumentModel } from './document.ts'

/** Gives the document of a profile, loaded for this turn. */
export type ProfileOf = (identity: string) => DocumentModel

/** Whose `user/<identity>` it is. */
export const ownerOf = (document: string): string => parseDocumentName(document)?.id ?? ''

/** Whose profile the operation may change; null when it is about none. */
export function profileNamedBy(operation: Operation, owner: string): string | null {
  switch (operation.type) {
    case 'user.update':
      return operation.identity ?? owner
    case 'push.set':
    case 'push.remove':
    case 'user.delete':
      return owner
    default:
      return null
  }
}

export function userStateOf(model: DocumentModel, profileOf: ProfileOf): UserState {
  return {
    get settingCount() {
      return model.size('settings') - (model.value('settings', PUSH_KEY) === undefined ? 0 : 1)
    },
    get pushRegistrations() {
      return (model.value('settings', PUSH_KEY) as PushRegistrationRecord[] | undefined) ?? []
    },
    setting: (conversationSid) => model.value('settings', conversationSid) as SettingRecord | undefined,
    profile(identity) {
      const record = Object.fromEntries(profileOf(identity).values('profile'))
      return 'sid' in record ? (record as unknown as ProfileRecord) : null
    },
  }
}

/** Settings go into the user document, the rest into the profile's, both committed with the operation. */
export function applyUserChanges(
  model: DocumentModel,
  profileOf: ProfileOf,
  changes: readonly UserChange[],
): void {
  for (const change of changes) {
    switch (change.type) {
      case 'profile.set': {
        const profile = profileOf(change.identity)
        for (const [key, value] of Object.entries(change.values)) profile.setValue('profile', key, value)
        break
      }
      case 'setting.put':
        model.setValue('settings', change.conversationSid, change.record)
        break
      case 'setting.delete':
        model.setValue('settings', change.conversationSid, undefined)
        break
      case 'push.put': {
        const { registrations } = change
        model.setValue('settings', PUSH_KEY, registrations.length > 0 ? registrations : undefined)
        break
      }
      case 'user.erase':
        profileOf(change.identity).eraseValues('profile')
        model.eraseValues('settings')
    }
  }
}
