import { useState } from 'react'
import {
  Button,
  Disclosure,
  DisclosurePanel,
  FieldError,
  Form,
  Heading,
  Input,
  Label,
  TextField,
} from 'react-aria-components'
import { fetchToken, useSession } from './session.tsx'
import { Logo } from './ui/logo.tsx'

export function SignIn() {
  const { signIn } = useSession()
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setIsBusy] = useState(false)

  const submit = async (form: FormData) => {
    const identity = String(form.get('identity')).trim().normalize('NFC')
    const tokenUrl = String(form.get('tokenUrl') ?? '').trim() || null
    if (identity === '') return
    setIsBusy(true)
    try {
      await fetchToken({ identity, tokenUrl })
      signIn({ identity, tokenUrl })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      setProblem(`${reason}. Is this a demo relay (npm start)? Otherwise give a token URL below.`)
      setIsBusy(false)
    }
  }

  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <Logo />
        <h1>Conversations that work with no network</h1>
        <p>
          Everything is kept on this device. Write on a train, in a cellar, at sea: it is sent when you are
          back, and merged with what others wrote meanwhile.
        </p>
        <Form
          onSubmit={(event) => {
            event.preventDefault()
            void submit(new FormData(event.currentTarget))
          }}
        >
          <TextField name="identity" isRequired autoFocus autoComplete="username" maxLength={256}>
            <Label>Your name</Label>
            <Input placeholder="alice" />
            <FieldError />
          </TextField>
          <Disclosure>
            <Heading level={2}>
              <Button slot="trigger" className="link">
                I have a token server
              </Button>
            </Heading>
            <DisclosurePanel>
              <TextField name="tokenUrl" type="url">
                <Label>Token URL</Label>
                <Input placeholder="https://example.org/token?identity={identity}" />
                <FieldError />
              </TextField>
            </DisclosurePanel>
          </Disclosure>
          {problem && (
            <p role="alert" className="problem">
              {problem}
            </p>
          )}
          <Button type="submit" className="primary" isDisabled={isBusy}>
            Sign in
          </Button>
        </Form>
        <p className="sign-in-demo">
          New here? <a href="/demo">See two people side by side</a>, one of them with no network.
        </p>
      </div>
    </main>
  )
}
