import type { StorageFigures } from '@confab/client'
import { useClient } from '@confab/react'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { bytesText } from '../lib/format.ts'
import { useSession } from '../session.tsx'

/** The room that this device gives, and whether it stays. */
export function StorageFacts({ storage }: { storage: StorageFigures }) {
  const client = useClient()
  const { isKept } = useSession()
  const [answer, setAnswer] = useState<boolean | null>(null)
  const { used, quota, index, history } = storage
  const persisted = answer ?? storage.persisted
  if (!isKept) return null
  return (
    <>
      <h3>On this device</h3>
      <dl className="facts">
        {used !== null && (
          <>
            <dt>Used</dt>
            <dd>
              {bytesText(used)}
              {quota !== null && ` of ${bytesText(quota)}`}
            </dd>
          </>
        )}
        {index > 0 && (
          <>
            <dt>Search index</dt>
            <dd>{bytesText(index)}</dd>
          </>
        )}
        {history > 0 && (
          <>
            <dt>Older history</dt>
            <dd>{bytesText(history)}</dd>
          </>
        )}
        {persisted !== null && (
          <>
            <dt>Kept</dt>
            <dd>{persisted ? 'until you say otherwise' : 'as long as the browser likes'}</dd>
          </>
        )}
      </dl>
      {persisted === false && (
        <Button
          isDisabled={answer === false}
          onPress={() =>
            void client.persistStorage().then(setAnswer, () => {
              setAnswer(false)
            })
          }
        >
          {answer === false ? 'The browser doesn’t promise it' : 'Ask the browser to keep it'}
        </Button>
      )}
    </>
  )
}
