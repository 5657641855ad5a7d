import type { ReactNode } from 'react'
import { Button, Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components'
import { Icon } from './icons.tsx'

/** A dialog over everything, or a drawer at the side. Escape and a press beside it close it. */
export function Sheet(props: {
  title: string
  kind?: 'dialog' | 'drawer'
  isOpen: boolean
  onClose: () => void
  children: ReactNode
}) {
  const { title, kind = 'dialog', isOpen, onClose, children } = props
  return (
    <ModalOverlay
      className={`overlay ${kind}`}
      isDismissable
      isOpen={isOpen}
      onOpenChange={(open) => {
        if (!open) onClose()
      }}
    >
      <Modal className="sheet">
        <Dialog>
          <header className="sheet-head">
            <Heading slot="title">{title}</Heading>
            <Button slot="close" aria-label="Close" className="round">
              <Icon name="close" />
            </Button>
          </header>
          <div className="sheet-body">{children}</div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
