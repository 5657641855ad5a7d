import { NATIVE_PATH, YJS_PATH } from '@confab/core'

/** What a WebSocket request asks for. */
export type Route =
  | { kind: 'native' }
  | { kind: 'yjs'; document: string; token: string; outcomes: boolean }
  | { kind: 'none' }

/** @param url path and query of the request */
export function routeOf(url: string): Route {
  const [path = '', query = ''] = url.split(/\?(.*)/s, 2)
  if (path === NATIVE_PATH) return { kind: 'native' }
  if (!path.startsWith(`${YJS_PATH}/`)) return { kind: 'none' }
  const parameters = new URLSearchParams(query)
  return {
    kind: 'yjs',
    document: decoded(path.slice(YJS_PATH.length + 1)),
    token: parameters.get('token') ?? '',
    outcomes: parameters.get('outcomes') === '1',
  }
}

/** A malformed escape names no document, and is answered like a name that nobody has. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
