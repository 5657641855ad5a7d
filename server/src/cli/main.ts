#!/usr/bin/env node
/** The `confab` command. */
import './memory.ts'
import { Command } from 'commander'
import { VERSION } from '../version.ts'
import { registerAccounts } from './accounts-command.ts'
import { registerAudit } from './audit-command.ts'
import { registerBackup } from './backup-command.ts'
import { registerChannels } from './channels-command.ts'
import { registerChat } from './chat.ts'
import { registerDoctor } from './doctor-command.ts'
import { registerExport } from './export-command.ts'
import { registerImport } from './import-command.ts'
import { registerRelay } from './relay-command.ts'
import { registerRetention } from './retention-command.ts'
import { registerToken } from './token-command.ts'
import { registerWebhooks } from './webhooks-command.ts'

const program = new Command('confab')
  .description(
    'Private group conversations that work with no network and merge through a relay anyone can host.',
  )
  .version(VERSION)
  .showHelpAfterError('(confab --help tells more)')
registerRelay(program)
registerToken(program)
registerBackup(program)
registerChannels(program)
registerAccounts(program)
registerWebhooks(program)
registerRetention(program)
registerAudit(program)
registerChat(program)
registerDoctor(program)
registerExport(program)
registerImport(program)

try {
  await program.parseAsync()
} catch (error) {
  console.error(`confab: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
