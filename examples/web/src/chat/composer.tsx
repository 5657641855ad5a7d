import type { Client, Conversation, Message } from '@confab/client'
import { useMaybeClient } from '@confab/react'
import { useEffect, useRef, useState } from 'react'
import { Button, FileTrigger, TextArea, TextField } from 'react-aria-components'
import { keepDraft, readDraft } from '../lib/drafts.ts'
import { type Chosen, chosen, filesOf, fitting, sendFiles } from '../lib/files.ts'
import { bytesText, listText } from '../lib/format.ts'
import { edit } from '../lib/meta.ts'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'
import { CameraButton } from './camera.tsx'
import { ChosenFiles } from './chosen-files.tsx'
import { operationFiles } from './operation-text.ts'

const OFFLINE = 'Write a message: it is sent when you are back'

export function Composer(props: {
  conversation: Conversation
  replyTo: Message | null
  editing: Message | null
  isOffline: boolean
  entered: number
  /** What goes with the message. */
  files: readonly Chosen[]
  onFiles: (files: readonly Chosen[]) => void
  onDone: () => void
  onSent: () => void
  onEditLast: () => void
}) {
  const { conversation, replyTo, editing, isOffline, entered, onDone, onSent, onEditLast } = props
  const { identity, report } = useSession()
  const names = useNames()
  const client = useMaybeClient()
  const [text, setText] = useState(() => editing?.body ?? readDraft(identity ?? '', conversation.sid))
  const [problem, setProblem] = useState<string | null>(null)
  const field = useRef<HTMLTextAreaElement>(null)
  const { files, onFiles } = props
  // what is on its way to this device's disk: until it is there, it is a draft
  const [preparing, setPreparing] = useState<{ body: string; bytes: number } | null>(null)

  useEffect(() => {
    if (!editing) keepDraft(identity ?? '', conversation.sid, text || (preparing?.body ?? ''))
  }, [editing, identity, conversation, text, preparing])

  useEffect(() => {
    const added = ({ author, attachedMedia }: Message) => {
      if (author === identity && attachedMedia?.length) setPreparing(null)
    }
    conversation.on('messageAdded', added)
    return () => {
      conversation.off('messageAdded', added)
    }
  }, [conversation, identity])

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

  const attach = (more: readonly File[]) => {
    const { fit, problem } = fitting(more, conversation.limits)
    setProblem(problem)
    onFiles([...files, ...chosen(fit)])
  }

  const send = async () => {
    const body = text.trim()
    if (body === '' && files.length === 0) return
    const begun = Date.now()
    setProblem(null)
    setText('')
    onFiles([])
    onDone()
    try {
      if (editing) {
        if (body !== editing.body) await edit(editing, body)
        return
      }
      const attributes: { [key: string]: string } = replyTo ? { replyTo: replyTo.sid } : {}
      if (files.length > 0) setPreparing({ body, bytes: files.reduce((sum, { file }) => sum + file.size, 0) })
      const sending =
        files.length > 0
          ? sendFiles(conversation, { body, attributes, files })
          : conversation.sendMessage(body, attributes)
      onSent()
      await sending
    } catch (error) {
      const text = report(error)
      if (files.length > 0 && isHeld(client, { conversation, body, files, since: begun })) {
        // with its files, from where it can be sent again: here, it would be sent twice
        setProblem(`${text}. The message is held.`)
        return
      }
      // it is held (see the tray) or was never taken: then it goes back to where it was written
      setProblem(text)
      if (editing) return
      setText((now) => (now === '' ? body : now))
      onFiles(files)
    } finally {
      setPreparing(null)
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
      {preparing && <p role="status">Getting {bytesText(preparing.bytes)} ready to be sent…</p>}
      <ChosenFiles files={files} onRemove={(key) => onFiles(files.filter((one) => one.key !== key))} />
      <div className="composer-line">
        {!editing && (
          <>
            <FileTrigger allowsMultiple onSelect={(list) => attach([...(list ?? [])])}>
              <Button className="round attach" aria-label="Attach files">
                <Icon name="clip" />
              </Button>
            </FileTrigger>
            <CameraButton onTaken={attach} />
          </>
        )}
        <TextField
          className="composer-field"
          aria-label="Message"
          value={text}
          onChange={change}
          onKeyDown={key}
        >
          <TextArea
            onPaste={(event) => {
              const pasted = filesOf(event.clipboardData)
              if (pasted.length === 0 || editing) return
              event.preventDefault()
              attach(pasted)
            }}
            ref={field}
            rows={1}
            dir="auto"
            placeholder={isOffline ? OFFLINE : 'Write a message'}
          />
        </TextField>
        <Button
          type="submit"
          className="round send"
          aria-label={editing ? 'Save' : 'Send'}
          isDisabled={text.trim() === '' && files.length === 0}
        >
          <Icon name={editing ? 'check' : 'send'} />
        </Button>
      </div>
    </form>
  )
}

/** Whether the relay has refused it already, so that it is held. */
function isHeld(
  client: Client | null,
  sent: { conversation: Conversation; body: string; files: readonly Chosen[]; since: number },
): boolean {
  const names = listText(sent.files.map(({ file }) => file.name))
  return (client?.getHeldOperations() ?? []).some(
    ({ conversationSid, operation, dateHeld }) =>
      conversationSid === sent.conversation.sid &&
      dateHeld.getTime() >= sent.since &&
      operationFiles(operation) === names &&
      ((operation as { body?: string }).body ?? '') === sent.body,
  )
}
