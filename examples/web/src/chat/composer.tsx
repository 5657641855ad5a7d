import type { Conversation, Message } from '@confab/client'
import { useEffect, useRef, useState } from 'react'
import { Button, TextArea, TextField } from 'react-aria-components'
import { keepDraft, readDraft } from '../lib/drafts.ts'
import { edit } from '../lib/meta.ts'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'

const OFFLINE = 'Write a message: it is sent when you are back'

export function Composer(props: {
  conversation: Conversation
  replyTo: Message | null
  editing: Message | null
  isOffline: boolean
  entered: number
  onDone: () => void
  onSent: () => void
  onEditLast: () => void
}) {
  const { conversation, replyTo, editing, isOffline, entered, onDone, onSent, onEditLast } = props
  const { identity, report } = useSession()
  const names = useNames()
  const [text, setText] = useState(() => editing?.body ?? readDraft(identity ?? '', conversation.sid))
  const [problem, setProblem] = useState<string | null>(null)
  const field = useRef<HTMLTextAreaElement>(null)

  useEffect(() => {
    if (!editing) keepDraft(identity ?? '', conversation.sid, text)
  }, [editing, identity, conversation, text])

  useEffect(() => {
    if (editing || replyTo) field.current?.focus()
  }, [editing, replyTo])

  useEffect(() => {
    if (entered === 0) return
    // a dialog that closes gives the focus back to where it was, before
    const soon = setTimeout(() => field.current?.focus())
    return () => clearTimeout(soon)
  }, [entered])

  const change = (next: string) => {
    setText(next)
    if (next !== '' && !editing) void conversation.typing().catch(() => {})
  }

  const send = async () => {
    const body = text.trim()
    if (body === '') return
    setProblem(null)
    setText('')
    onDone()
    try {
      if (editing) {
        if (body !== editing.body) await edit(editing, body)
        return
      }
      const sending = conversation.sendMessage(body, replyTo ? { replyTo: replyTo.sid } : {})
      onSent()
      await sending
    } catch (error) {
      // it is held (see the tray) or was never taken: then it goes back to where it was written
      setProblem(report(error))
      if (!editing) setText((now) => (now === '' ? body : now))
    }
  }

  const key = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault()
      void send()
    }
    if (event.key === 'Escape' && (editing || replyTo)) onDone()
    if (event.key === 'ArrowUp' && text === '' && !editing) {
      event.preventDefault()
      onEditLast()
    }
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
    >
      <Problem text={problem} />
      {(replyTo || editing) && (
        <div className="composer-about">
          <Icon name={editing ? 'edit' : 'reply'} size={16} />
          <span dir="auto">
            {editing ? 'Edit your message' : `${names(replyTo?.author ?? null)}: ${replyTo?.body}`}
          </span>
          <Button className="round small" aria-label="Cancel" onPress={onDone}>
            <Icon name="close" size={16} />
          </Button>
        </div>
      )}
      <div className="composer-line">
        <TextField aria-label="Message" value={text} onChange={change} onKeyDown={key}>
          <TextArea ref={field} rows={1} dir="auto" placeholder={isOffline ? OFFLINE : 'Write a message'} />
        </TextField>
        <Button
          type="submit"
          className="round send"
          aria-label={editing ? 'Save' : 'Send'}
          isDisabled={text.trim() === ''}
        >
          <Icon name={editing ? 'check' : 'send'} />
        </Button>
      </div>
    </form>
  )
}
