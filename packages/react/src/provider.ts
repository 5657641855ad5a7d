import { type Client, ConfabError } from '@confab/client'
import { createContext, createElement, type ReactNode, useContext } from 'react'

const ClientContext = createContext<Client | null | undefined>(undefined)

/**
 * Gives everything inside of it a client.
 * @param props.client null while somebody is signing in: hooks then show nothing yet
 */
export function ConfabProvider(props: { client: Client | null; children?: ReactNode }): ReactNode {
  return createElement(ClientContext.Provider, { value: props.client }, props.children)
}

/** The client, or null while there is none. @throws ConfabError 20001 outside of a `ConfabProvider` */
export function useMaybeClient(): Client | null {
  const client = useContext(ClientContext)
  if (client === undefined) throw new ConfabError(20001, 'This hook needs a <ConfabProvider> around it')
  return client
}

/** The client. @throws ConfabError 20001 outside of a `ConfabProvider`, or while it has none */
export function useClient(): Client {
  const client = useMaybeClient()
  if (!client)
    throw new ConfabError(
      20001,
      'The <ConfabProvider> has no client yet: render this when somebody has signed in',
    )
  return client
}
