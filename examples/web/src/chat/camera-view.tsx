import { useEffect, useRef, useState } from 'react'
import { Button } from 'react-aria-components'
import { Problem } from '../ui/problem.tsx'

/** How much of a picture's quality JPEG keeps, of 1. */
const QUALITY = 0.9

/** What the camera sees, and a button that takes it. */
export default function Camera({ onTaken }: { onTaken: (file: File) => void }) {
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
