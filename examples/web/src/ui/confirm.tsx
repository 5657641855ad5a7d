import { type ReactNode, useState } from 'react'
import { Button, Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components'

/** A button for what can't be taken back: it asks first. */
export function Confirm(props: {
  label: string
  question: string
  children: ReactNode
  isDangerous?: boolean
  onConfirm: () => void
}) {
  const { label, question, isDangerous, onConfirm } = props
  const [isAsking, setIsAsking] = useState(false)
  const close = () => setIsAsking(false)
  return (
    <>
      <Button className={isDangerous ? 'danger' : ''} onPress={() => setIsAsking(true)}>
        {label}
      </Button>
      <ModalOverlay className="overlay dialog" isOpen={isAsking} onOpenChange={setIsAsking}>
        <Modal className="sheet confirm">
          <Dialog role="alertdialog">
            <Heading slot="title">{question}</Heading>
            <p>{props.children}</p>
            <div className="confirm-actions">
              <Button autoFocus onPress={close}>
                Cancel
              </Button>
              <Button
                className="primary"
                onPress={() => {
                  close()
                  onConfirm()
                }}
              >
                {label}
              </Button>
            </div>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  )
}
