/** What every storage must do with attachments, a sentence each: a part of the suite. */
import type { MediaStore, MediaUse, Storage, StoreOwner } from './storage.ts'
import { check, checkEqual, checkRejects, freshOwner, type Sentence, withStore } from './storage-suite.ts'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)

const use = (media: string, hash: string, more: Partial<MediaUse> = {}): MediaUse => ({
  media,
  hash,
  conversation: 'CH1',
  message: 'IM1',
  index: null,
  since: 1,
  ...more,
})

const withMedia = <T>(
  storage: Storage,
  owner: StoreOwner,
  work: (media: MediaStore) => Promise<T>,
): Promise<T> =>
  withStore(storage, owner, async (store) => {
    const media = await store.media()
    try {
      return await work(media)
    } finally {
      await media.close()
    }
  })

const bytesOf = async (content: Blob | null): Promise<number[] | null> =>
  content && [...new Uint8Array(await content.arrayBuffer())]

const byHash = <T extends { hash: string }>(all: T[]): T[] => all.sort((a, b) => (a.hash < b.hash ? -1 : 1))

export const mediaSentences: readonly Sentence[] = [
  {
    sentence: 'of attachments nothing is kept before there are any',
    prove: (device) =>
      withMedia(device.storage(), freshOwner(), async (media) => {
        checkEqual([await media.contents(), await media.uses(), await media.get(A, 1)], [[], [], null], 'it')
      }),
  },
  {
    sentence: 'content that was put is there after a restart, byte for byte, with what it is kept for',
    async prove(device) {
      const owner = freshOwner()
      const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251)
      await withMedia(device.storage(), owner, (media) => media.put(A, new Blob([bytes]), [use('ME1', A)], 5))
      await withMedia(device.storage(), owner, async (media) => {
        checkEqual(await media.contents(), [{ hash: A, size: 3_000_000, used: 5 }], 'the contents')
        checkEqual(await media.uses(), [use('ME1', A)], 'the uses')
        const content = (await media.get(A, 9)) as Blob
        checkEqual(content.size, 3_000_000, 'its size')
        const part = await bytesOf(content.slice(1_000_000, 1_000_004))
        checkEqual(part, [...bytes.slice(1_000_000, 1_000_004)], 'a part of it')
        checkEqual((await media.contents())[0]?.used, 9, 'its last use')
      })
    },
  },
  {
    sentence: 'an empty attachment is one, too',
    prove: (device) =>
      withMedia(device.storage(), freshOwner(), async (media) => {
        await media.put(A, new Blob([]), [use('ME1', A)], 1)
        checkEqual(await bytesOf(await media.get(A, 1)), [], 'its bytes')
      }),
  },
  {
    sentence: 'content is kept once, whoever has it, and as long as anybody does',
    prove: (device) =>
      withMedia(device.storage(), freshOwner(), async (media) => {
        await media.put(A, new Blob(['one']), [use('ME1', A)], 1)
        await media.put(A, new Blob(['one']), [use('ME2', A, { conversation: 'CH2' })], 2)
        await media.put(B, new Blob(['two']), [use('ME3', B)], 3)
        checkEqual((await media.contents()).length, 2, 'contents')
        await media.release(['ME1', 'none'])
        checkEqual(
          byHash(await media.contents()).map(({ hash }) => hash),
          [A, B],
          'contents after one let go',
        )
        await media.release(['ME2'])
        checkEqual(
          (await media.contents()).map(({ hash }) => hash),
          [B],
          'contents after both did',
        )
        check((await media.get(A, 4)) === null, 'content that nobody has is given')
        checkEqual(await media.uses(), [use('ME3', B)], 'uses')
      }),
  },
  {
    sentence: 'a use is replaced by its attachment',
    prove: (device) =>
      withMedia(device.storage(), freshOwner(), async (media) => {
        await media.put(A, new Blob(['one']), [use('ME1', A, { message: '' })], 1)
        const now = use('ME1', A, { index: 4, upload: 'https://relay.example/media/uploads/1' })
        await media.use([now])
        checkEqual(await media.uses(), [now], 'uses')
      }),
  },
  {
    sentence: 'two clients on one store have the same attachments, and one after the other has its turn',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withMedia(storage, owner, (one) =>
        withMedia(storage, owner, async (two) => {
          await one.put(A, new Blob(['one']), [use('ME1', A)], 1)
          checkEqual(await bytesOf(await two.get(A, 1)), [111, 110, 101], 'what the other reads')
          const end = await one.lead(new AbortController().signal)
          let isSecond = false
          const second = two.lead(new AbortController().signal).then((done) => {
            isSecond = true
            return done
          })
          const impatient = new AbortController()
          const third = one.lead(impatient.signal)
          impatient.abort(Object.assign(new Error('Enough'), { code: 1 }))
          await checkRejects(third, 1, 'who doesn’t wait')
          check(!isSecond, 'two have their turn at once')
          end()
          ;(await second)()
        }),
      )
    },
  },
  {
    sentence: 'a turn ends with its client',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withMedia(storage, owner, async (two) => {
        await withMedia(storage, owner, async (one) => void (await one.lead(new AbortController().signal)))
        ;(await two.lead(new AbortController().signal))()
      })
    },
  },
  {
    sentence: 'attachments of a store that is destroyed are gone',
    async prove(device) {
      const owner = freshOwner()
      const storage = device.storage()
      await withMedia(storage, owner, (media) => media.put(A, new Blob(['one']), [use('ME1', A)], 1))
      await storage.destroy?.(owner)
      await withMedia(storage, owner, async (media) => {
        checkEqual([await media.contents(), await media.uses(), await media.get(A, 1)], [[], [], null], 'it')
      })
    },
  },
]
