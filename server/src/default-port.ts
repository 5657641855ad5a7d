/** Where a relay listens, and `confab chat` looks, when nobody says otherwise. */
export const DEFAULT_PORT = 4455
