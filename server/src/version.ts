/** The relay's version: what `/health` and `confab --version` say. A test holds it to package.json. */
export const VERSION = '0.1.0'
