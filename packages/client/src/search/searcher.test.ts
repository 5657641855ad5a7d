/** What a search finds is what reading everything finds, in several languages, whatever happened to the messages. */
import type { MessageRecord } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { type Random, seeded } from '../../../../test/simulation/random.ts'
import { FakeReader } from '../../test/local-reader.ts'
import { Searcher } from './searcher.ts'
import { ShardedIndex } from './shards.ts'

const T0 = Date.UTC(2026, 0, 1)

const record = (index: number, body: string, more: Partial<MessageRecord> = {}): MessageRecord => ({
  sid: `IM${String(index).padStart(6, '0')}${more.author ?? ''}${(more.attributes as string) ?? ''}`,
  index,
  author: 'ada',
  body,
  dateCreated: T0 + index * 1000,
  ...more,
})

async function searcherOn(reader: FakeReader): Promise<Searcher> {
  const files = reader.files()
  const searcher = new Searcher({ reader, index: new ShardedIndex(files), files })
  await searcher.start()
  return searcher
}

const bodies = async (searcher: Searcher, text: string, more = {}) =>
  (await searcher.search({ text, limit: 100, ...more })).hits.map(({ view }) => view.record.body)

/** Words of a language, and how its readers would look for them: written down here and not taken from the code. */
const LANGUAGES: { [name: string]: { words: string[]; glue: string; plain(text: string): string } } = {
  English: {
    words: 'the quick brown fox jumps over lazy dogs; TEA time teapot Tease'.split(' '),
    glue: ' ',
    plain: (text) => text.toLowerCase(),
  },
  German: {
    words: 'Grüße über Straße Bär Bären schön Schönheit Äpfel groß'.split(' '),
    glue: ', ',
    plain: (text) =>
      text.toLowerCase().replace(/[üöäß]/g, (letter) => ({ ü: 'u', ö: 'o', ä: 'a', ß: 'ss' })[letter] ?? ''),
  },
  Arabic: {
    words: ['السَّلامُ', 'عليكم', 'مدرسة', 'مَدْرَسَة', 'كتاب', 'كتب', 'أحمد', 'احمد'],
    glue: ' ',
    plain: (text) =>
      text
        .replace(/[\u064b-\u0652\u0640]/g, '')
        .replace(/[أإآ]/g, 'ا')
        .replaceAll('ة', 'ه'),
  },
  Russian: {
    words: 'Привет чай чайник Чайка ёлка елка мир'.split(' '),
    glue: ' ',
    plain: (text) => text.toLowerCase().replaceAll('ё', 'е').replaceAll('й', 'и'),
  },
  Japanese: {
    words: ['東京', 'タワー', 'へ行く', '京都', 'お茶', 'ガラス', 'カラス'],
    glue: '',
    plain: (text) => text,
  },
  Chinese: { words: ['北京', '大学', '学生', '生活', '你好', '好'], glue: '', plain: (text) => text },
  Korean: { words: ['안녕하세요', '안녕', '서울에서', '서울', '차를'], glue: ' ', plain: (text) => text },
  Hindi: { words: ['नमस्ते', 'चाय', 'चायवाला', 'की', 'का'], glue: ' ', plain: (text) => text },
}

function sentence(random: Random, { words, glue }: { words: string[]; glue: string }): string {
  return Array.from({ length: random.int(1, 8) }, () => random.pick(words)).join(glue)
}

describe.each(Object.entries(LANGUAGES))('%s', (name, language) => {
  test.each([1, 2, 3])('a search finds what a plain scan finds, seed %i', async (seed) => {
    const random = seeded(seed * 1000 + name.length)
    const reader = new FakeReader(20)
    const sids = ['CH1', 'CH2', 'CH3']
    const texts = new Map<string, string>()
    const write = (sid: string, index: number, attributes = '') => {
      const body = sentence(random, language)
      texts.set(`${sid} ${index}`, body)
      reader.add(
        sid,
        record(index, body, { author: random.pick(['ada', 'bob']), attributes: sid + attributes }),
      )
    }
    for (const sid of sids) for (let index = 0; index < random.int(30, 90); index++) write(sid, index)
    for (const sid of sids) reader.seal(sid, random.int(0, 60))
    const searcher = await searcherOn(reader)
    for (let round = 0; round < 12; round++) {
      const sid = random.pick(sids)
      const next = (reader.held.get(sid)?.records.size ?? 0) + (reader.held.get(sid)?.gone.size ?? 0) + 100
      if (random.chance(0.5)) write(sid, next + round)
      if (random.chance(0.5)) {
        const known = [...(reader.held.get(sid)?.records.keys() ?? [])]
        const index = random.pick(known)
        reader.remove(sid, index)
        texts.delete(`${sid} ${index}`)
      }
      const query = random.chance(0.5)
        ? random.pick(language.words)
        : `${random.pick(language.words)} ${random.pick(language.words).slice(0, 2)}`
      const { hits, more, unseen } = await searcher.search({ text: query, limit: 1000 })
      const found = hits.map(({ conversationSid, view }) => `${conversationSid} ${view.record.index}`)
      expect(found.sort(), query).toEqual(scan(texts, query, language).sort())
      expect(more).toBe(false)
      expect(unseen).toEqual([])
    }
    await searcher.close()
    expect(reader.warnings).toEqual([])
  })
})

/** Reads all texts, knowing nothing of the index. */
function scan(
  texts: ReadonlyMap<string, string>,
  query: string,
  language: (typeof LANGUAGES)[string],
): string[] {
  const { glue, plain } = language
  const wanted = plain(query)
    .split(/[\s;,]+/)
    .filter(Boolean)
  return [...texts].flatMap(([name, text]) => {
    const shown = plain(text)
    const has = (word: string) =>
      glue === '' ? shown.includes(word) : shown.split(/[\s;,]+/).some((one) => one.startsWith(word))
    return wanted.every(has) ? name : []
  })
}

describe('what is searched', () => {
  test('newest first over all conversations, by author and by time, at most so many', async () => {
    const reader = new FakeReader()
    for (let index = 0; index < 40; index++) {
      reader.add(
        'CH1',
        record(index, `tea one ${index}`, { author: index % 2 ? 'ada' : 'bob', attributes: 'a' }),
      )
      reader.add(
        'CH2',
        record(index, `tea two ${index}`, { attributes: 'b', dateCreated: T0 + index * 1000 + 500 }),
      )
    }
    const searcher = await searcherOn(reader)
    expect((await bodies(searcher, 'tea')).slice(0, 3)).toEqual(['tea two 39', 'tea one 39', 'tea two 38'])
    expect(await bodies(searcher, 'TEA', { limit: 2, conversationSid: 'CH1' })).toEqual([
      'tea one 39',
      'tea one 38',
    ])
    expect(await bodies(searcher, 'tea', { author: 'bob', limit: 1 })).toEqual(['tea one 38'])
    const between = { after: T0 + 3000, before: T0 + 5000, conversationSid: 'CH1' }
    expect(await bodies(searcher, 'tea', between)).toEqual(['tea one 4'])
    expect((await searcher.search({ text: 'tea', limit: 80 })).more).toBe(false)
    expect((await searcher.search({ text: 'tea', limit: 79 })).more).toBe(true)
    expect(await bodies(searcher, ' ¡! ')).toEqual([])
    await searcher.close()
  })

  test('subjects too; an edit is found by its new text alone', async () => {
    const reader = new FakeReader()
    reader.add('CH1', record(0, 'about nothing', { subject: 'Teatime' }))
    reader.add('CH1', record(1, 'coffee'))
    const searcher = await searcherOn(reader)
    expect(await bodies(searcher, 'teat noth')).toEqual(['about nothing'])
    reader.add('CH1', record(1, 'chocolate', { dateUpdated: T0 }))
    expect(await bodies(searcher, 'coffee')).toEqual([])
    expect(await bodies(searcher, 'choco')).toEqual(['chocolate'])
    await searcher.close()
  })

  test('pages that are not here are named, and found when they come', async () => {
    const reader = new FakeReader(10)
    for (let index = 0; index < 45; index++) reader.add('CH1', record(index, `number ${index} tea`))
    reader.seal('CH1', 40)
    reader.evict('CH1', 5)
    reader.evict('CH1', 15)
    reader.evict('CH1', 35)
    const searcher = await searcherOn(reader)
    const { hits, unseen } = await searcher.search({ text: 'tea', limit: 100 })
    expect(hits).toHaveLength(15)
    expect(unseen).toEqual([
      { conversationSid: 'CH1', from: 0, to: 19, messages: 20 },
      { conversationSid: 'CH1', from: 30, to: 39, messages: 10 },
    ])
    reader.evict('CH1', 15, false)
    const later = await searcher.search({ text: 'tea', limit: 100 })
    expect(later.hits).toHaveLength(25)
    expect(later.unseen.map(({ from }) => from)).toEqual([0, 30])
    await searcher.close()
  })
})

describe('what is kept', () => {
  test('a second start opens no conversation that has not changed, and finds everything', async () => {
    const reader = new FakeReader(10)
    for (const sid of ['CH1', 'CH2'])
      for (let index = 0; index < 25; index++)
        reader.add(sid, record(index, `word${index} tea`, { attributes: sid }))
    reader.seal('CH1', 20)
    await (await searcherOn(reader)).close()
    reader.opened.length = 0
    const searcher = await searcherOn(reader)
    expect(reader.opened).toEqual([])
    expect(await bodies(searcher, 'tea')).toHaveLength(50)
    reader.add('CH2', record(30, 'tea again'))
    expect(await bodies(searcher, 'tea')).toHaveLength(51)
    expect(reader.opened).toEqual(['CH2'])
    await searcher.close()
    const changed = new FakeReader(10)
    for (const [sid, held] of reader.held) changed.held.set(sid, held)
    for (const [name, bytes] of reader.kept) changed.kept.set(name, bytes)
    changed.add('CH1', record(40, 'tea while nobody looked'))
    changed.remove('CH1', 3)
    const third = await searcherOn(changed)
    expect(await bodies(third, 'tea')).toHaveLength(51)
    expect(changed.opened).toEqual(['CH1'])
    await third.close()
  })

  test.each([
    ['live', 0],
    ['sealed', 30],
  ])('the words of a %s message that was removed are in no file any more', async (_, sealed) => {
    const reader = new FakeReader(10)
    for (let index = 0; index < 30; index++)
      reader.add('CH1', record(index, index === 7 ? 'Xylophone' : `tea ${index}`))
    reader.seal('CH1', sealed)
    const searcher = await searcherOn(reader)
    expect(await bodies(searcher, 'xylo')).toEqual(['Xylophone'])
    await searcher.close()
    expect(await words(reader)).toContain('xylophone')
    const again = await searcherOn(reader)
    reader.remove('CH1', 7)
    await again.upToDate()
    expect(await words(reader)).not.toContain('xylophone')
    expect(await words(reader)).toContain('tea')
    expect(await bodies(again, 'xylo')).toEqual([])
    await again.close()
  })

  test('two clients on one store: what is removed is in no file, whoever kept which', async () => {
    const reader = new FakeReader(10)
    for (let index = 0; index < 5; index++) reader.add('CH1', record(index, `tea ${index}`))
    const one = await searcherOn(reader)
    const two = await searcherOn(reader)
    reader.add('CH1', record(7, 'Xylophone'))
    await two.upToDate()
    await two.close()
    reader.add('CH1', record(9, 'later'))
    await one.upToDate()
    await one.close()
    const three = await searcherOn(reader)
    reader.remove('CH1', 7)
    await three.upToDate()
    expect(await words(reader)).not.toContain('xylophone')
    expect(await bodies(three, 'tea')).toHaveLength(5)
    await three.close()
  })

  test('a conversation that is gone leaves nothing; damaged files are made again', async () => {
    const reader = new FakeReader(10)
    for (const sid of ['CH1', 'CH2'])
      for (let index = 0; index < 20; index++) reader.add(sid, record(index, `${sid} tea`))
    reader.seal('CH2', 10)
    const first = await searcherOn(reader)
    reader.forget('CH1')
    expect(await bodies(first, 'ch1')).toEqual([])
    await first.close()
    expect([...reader.kept.keys()].filter((name) => name.includes('CH1'))).toEqual([])
    for (const name of reader.kept.keys()) reader.kept.set(name, new Uint8Array([1, 2, 3]))
    const searcher = await searcherOn(reader)
    expect(await bodies(searcher, 'tea', { limit: 100 })).toHaveLength(20)
    await searcher.close()
  })
})

/** What stands in the files, unpacked. */
async function words(reader: FakeReader): Promise<string> {
  const texts = [...reader.kept.values()].map(async (bytes) => {
    if (bytes[0] === 0x7b || bytes[0] === 0x5b) return new TextDecoder().decode(bytes)
    const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
    return new Response(stream).text()
  })
  return (await Promise.all(texts)).join('\n')
}
