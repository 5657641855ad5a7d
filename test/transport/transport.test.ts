import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { transportSuite } from './transport-suite.ts'

transportSuite('native()', native())
transportSuite('yWebsocket()', yWebsocket())
