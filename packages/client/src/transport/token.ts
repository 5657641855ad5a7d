import { backgroundTimer } from './timers.ts'

/** Milliseconds that an app may take to fetch a token. */
const DEADLINE = 20_000

/** The app's token, or a rejection that says what was wrong with the way it got none. */
export async function fetchToken(fetch: () => Promise<string>): Promise<string> {
  let cancel = () => {}
  const late = new Promise<never>((_, reject) => {
    cancel = backgroundTimer(DEADLINE, () => reject(new Error(`No token within ${DEADLINE / 1000} s`)))
  })
  try {
    const token = await Promise.race([fetch(), late])
    if (typeof token !== 'string' || token === '') throw new TypeError('The token is not a string')
    return token
  } finally {
    cancel()
  }
}
