/** Diagnostics, figures and export: a chunk of its own, loaded when one of them is asked for. */
import { Reader } from '../engine/reader.ts'
import type { Surface } from '../surface.ts'
import type { ConversationExport, Diagnostics, StorageFigures } from '../types.ts'
import { type ExportFormat, exportConversation } from './export.ts'
import { diagnose, storageFigures } from './figures.ts'

export const diagnosticsOf = (surface: Surface, version: string): Promise<Diagnostics> =>
  diagnose(surface.working().local, surface.httpUrl, version)

export const figuresOf = (surface: Surface): Promise<StorageFigures> =>
  storageFigures(surface.working().local)

export const exportOf = async (
  surface: Surface,
  sid: string,
  format: ExportFormat,
  withFiles: boolean,
): Promise<ConversationExport | null> => {
  const { local } = surface.working()
  return exportConversation(new Reader(local), sid, format, withFiles ? await local.media() : null)
}

/** Gives whether the conversation's copy is gone from this device. */
export async function forget(surface: Surface, sid: string): Promise<boolean> {
  const engine = surface.working()
  await engine.pinHistory(sid, false)
  const { library } = await surface.media()
  const isGone = (await engine.local.conversation(sid)?.dropStored()) ?? false
  if (isGone) await library.forget(sid)
  return isGone
}
