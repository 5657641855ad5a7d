/** Attachments in components, over real clients. */
import type { Message } from '@confab/client'
import { act, createElement } from 'react'
import { afterEach, expect, test } from 'vitest'
import { bytesOf, clientOf, mediaRelay, readBack, together } from '../../../test/media/stage.ts'
import { ConfabProvider, useMedia, useUpload } from '../src/index.ts'
import { clear, show, until } from './stage.ts'

afterEach(clear)

test('a picture is drawn from this device, says how far it is, and is drawn elsewhere when there is a connection', async () => {
  const stand = await mediaRelay()
  const [ann, ben] = [await clientOf('ann', stand.url), await clientOf('ben', stand.url)]
  const [conversation, bens] = await together(ann, ben)
  await ann.goOffline()
  const media = bytesOf(1000)
  await conversation!.sendMessage({ contentType: 'image/png', media })
  const [mine] = (await conversation!.getMessages()).items
  const Picture = ({ message }: { message: Message }) => {
    const { url, error } = useMedia(message.attachedMedia![0])
    const upload = useUpload(message)
    return `${url ?? (error ? 'none' : '…')} ${upload ? `${upload.state} ${upload.bytesSent}` : '-'}`
  }
  const drawn = (client: typeof ann, message: Message) =>
    show(createElement(ConfabProvider, { client }, createElement(Picture as never, { message } as never)))
  const annsPage = await drawn(ann, mine!)
  await until(() => /^blob:\S+ waiting 0$/.test(annsPage.text()))
  expect(await readBack(annsPage.text().split(' ')[0]!)).toEqual(media)
  const coming = new Promise<Message>((resolve) => bens!.once('messageAdded', resolve))
  await act(() => ann.goOnline())
  const theirs = await act(() => coming)
  await until(() => annsPage.text().endsWith(' -'))

  const bensPage = await drawn(ben, theirs)
  await until(() => bensPage.text().startsWith('blob:'))
  expect(await readBack(bensPage.text().split(' ')[0]!)).toEqual(media)
})
