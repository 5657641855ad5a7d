export {
  ConfabError,
  type Limits,
  type Operation,
  type Outcome,
  SERVICE_ADMIN,
  SERVICE_USER,
} from '@confab/core'
export type { SealingOptions } from './commit/options.ts'
export type { Principal } from './engine.ts'
export type { Origins } from './gateway/http.ts'
export type {
  Authentication,
  Authorization,
  Awaitable,
  BeforeCommitAnswer,
  CommittedOperation,
  Hooks,
  OperationRequest,
} from './hooks.ts'
export { createRelay, type Relay } from './relay.ts'
export type { RelayOptions } from './relay-options.ts'
export type { Log, Timing } from './session/session.ts'
export {
  type AccessKeys,
  type AccessTokenClaims,
  type AccessTokenOptions,
  createAccessToken,
  verifyAccessToken,
} from './token.ts'
