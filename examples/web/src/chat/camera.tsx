import { useEffect, useRef, useState } from 'react'
import { Button, FileTrigger } from 'react-aria-components'
import { Sheet } from '../ui/dialogs.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'

/** How much of a picture's quality JPEG keeps, of 1. */
const QUALITY = 0.9

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
        <Camera
          onTaken={(file) => {
            setIsOpen(false)
            onTaken([file])
          }}
        />
      </Sheet>
    </>
  )
}

function Camera({ onTaken }: { onTaken: (file: File) => void }) {
  const video = useRef<HTMLVideoElement>(null)
  const [isReady, setIsReady] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  useEffect(() => {
    let stream: MediaStream | null = null
    let isOver = false
    const end = () => {
      for (const track of stream?.getTracks() ?? []) track.stop()
    }
    navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).then(
      (given) => {
        stream = given
        if (isOver) end()
        else if (video.current) video.current.srcObject = given
      },
      (error: unknown) => setProblem(cameraProblem(error)),
    )
    return () => {
      isOver = true
      end()
    }
  }, [])
  const take = async () => {
    if (!video.current) return
    const file = await pictureOf(video.current)
    if (file) onTaken(file)
    else setProblem('The picture could not be taken. Try it again.')
  }
  return (
    <div className="camera">
      <Problem text={problem} />
      <video
        ref={video}
        className="camera-view"
        aria-label="What the camera sees"
        autoPlay
        muted
        playsInline
        onLoadedData={() => setIsReady(true)}
      />
      <Button className="primary" isDisabled={!isReady} onPress={() => void take()}>
        Take it
      </Button>
    </div>
  )
}

function cameraProblem(error: unknown): string {
  const { name } = error as { name?: string }
  if (name === 'NotAllowedError')
    return 'The browser gives this page no camera. Allow it for this site, or attach a picture from your files.'
  if (name === 'NotFoundError') return 'There is no camera here. Attach a picture from your files.'
  return 'The camera can’t be used now. Another program may have it.'
}

async function pictureOf(video: HTMLVideoElement): Promise<File | null> {
  const { videoWidth: width, videoHeight: height } = video
  const canvas = Object.assign(document.createElement('canvas'), { width, height })
  canvas.getContext('2d')?.drawImage(video, 0, 0)
  const content = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', QUALITY))
  const at = new Date().toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.')
  return content && new File([content], `Picture ${at}.jpg`, { type: 'image/jpeg' })
}
