/** Types that a browser shows without running anything in the origin of who opens them. */
const SAFE =
  /^(?:image\/(?!svg)[\w.+-]+|(?:audio|video)\/[\w.+-]+|text\/plain|application\/(?:pdf|json|zip))(?:;|$)/

/**
 * The type under which content is handed out: a `blob:` address belongs to the app's origin, so a page or a drawing
 * with script in it would run there.
 */
export const safeType = (contentType: string): string =>
  SAFE.test(contentType) ? contentType : 'application/octet-stream'
