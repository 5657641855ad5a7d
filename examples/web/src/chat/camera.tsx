import { lazy, useState } from 'react'
import { Button, FileTrigger } from 'react-aria-components'
import { Sheet } from '../ui/dialogs.tsx'
import { Icon } from '../ui/icons.tsx'
import { Part } from '../ui/part.tsx'

// a part of its own: few open it
const Camera = lazy(() => import('./camera-view.tsx'))

/** Takes a picture: by the device's own camera app where it is held in a hand, otherwise by what the browser sees. */
export function CameraButton({ onTaken }: { onTaken: (files: File[]) => void }) {
  const [isOpen, setIsOpen] = useState(false)
  const [isHeld] = useState(() => matchMedia('(pointer: coarse)').matches)
  const icon = <Icon name="camera" />
  if (isHeld) {
    return (
      <FileTrigger
        acceptedFileTypes={['image/*']}
        defaultCamera="environment"
        onSelect={(list) => onTaken([...(list ?? [])])}
      >
        <Button className="round attach" aria-label="Take a picture">
          {icon}
        </Button>
      </FileTrigger>
    )
  }
  // a page that isn't served safely is given no camera
  if (!navigator.mediaDevices) return null
  return (
    <>
      <Button className="round attach" aria-label="Take a picture" onPress={() => setIsOpen(true)}>
        {icon}
      </Button>
      <Sheet title="Take a picture" isOpen={isOpen} onClose={() => setIsOpen(false)}>
        <Part>
          <Camera
            onTaken={(file) => {
              setIsOpen(false)
              onTaken([file])
            }}
          />
        </Part>
      </Sheet>
    </>
  )
}
