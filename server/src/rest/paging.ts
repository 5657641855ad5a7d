/**
 * Pages of lists, as Twilio has them: a size, and addresses of the next and the previous page. A token says behind
 * which item the page begins, or before which it ends, so that pages neither skip nor repeat what others add meanwhile.
 */
import { ConfabError } from '@confab/core'
import type { Span } from '../store/objects.ts'
import type { Call } from './call.ts'

/** Items of a page: when nothing is said, and at most. Both are Twilio's. */
const DEFAULT_SIZE = 50
const MOST = 100

export interface Meta {
  page: number
  page_size: number
  first_page_url: string
  previous_page_url: string | null
  next_page_url: string | null
  url: string
  key: string
}

export interface PageParameters {
  PageSize?: number | undefined
  Page?: number | undefined
  PageToken?: string | undefined
}

export interface PageRequest {
  size: number
  number: number
  span: Span
}

/** Before everything, and behind it. */
const FIRST = -1
const LAST = Number.MAX_SAFE_INTEGER

/** @throws ConfabError 20001 for a size, or a token, that is none */
export function pageRequest({ PageSize = DEFAULT_SIZE, Page = 0, PageToken }: PageParameters): PageRequest {
  if (PageSize < 1) throw new ConfabError(20001, 'PageSize must be at least 1')
  if (Page < 0) throw new ConfabError(20001, 'Page must not be below 0')
  const size = Math.min(PageSize, MOST)
  if (PageToken === undefined) {
    if (Page > 0) throw new ConfabError(20001, 'Page alone names no page: follow next_page_url')
    return { size, number: 0, span: { after: FIRST } }
  }
  const [, side, position] = /^(PA|PB)(\d{1,16})$/.exec(PageToken) ?? []
  if (position === undefined) throw new ConfabError(20001, 'PageToken is none of this list')
  const span = side === 'PA' ? { after: Number(position) } : { before: Math.min(LAST, Number(position)) }
  return { size, number: Page, span }
}

/**
 * One page of a list.
 * @param load gives at most so many items of the span, ascending, each with its position
 */
export async function page<Item extends { position: number }, Shape>(
  call: Call,
  key: string,
  parameters: PageParameters,
  load: (span: Span, limit: number) => Promise<Item[]>,
  shape: (item: Item) => Promise<Shape | null> | Shape | null,
): Promise<{ meta: Meta } & { [key: string]: unknown }> {
  const { size, number, span } = pageRequest(parameters)
  const isBack = span.before !== undefined
  // one more than asked for tells whether there is another page
  const found = await load(span, size + 1)
  const hasMore = found.length > size
  const items = isBack ? found.slice(-size) : found.slice(0, size)
  const [first, last] = [items[0], items.at(-1)]
  const at = (page: number, token?: string) => call.pageUrl({ PageSize: size, Page: page, PageToken: token })
  const next = last && (isBack || hasMore) ? at(number + 1, `PA${last.position}`) : null
  const hasBefore = isBack ? hasMore : span.after !== FIRST
  const previous = first && hasBefore ? at(Math.max(0, number - 1), `PB${first.position}`) : null
  const shapes = await Promise.all(items.map(shape))
  return {
    [key]: shapes.filter((one) => one !== null),
    meta: {
      page: number,
      page_size: size,
      first_page_url: at(0),
      previous_page_url: previous,
      next_page_url: next,
      url: at(number, parameters.PageToken),
      key,
    },
  }
}
