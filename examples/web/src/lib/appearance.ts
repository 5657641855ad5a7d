/** How the app looks on this device: light or dark, and which way it reads. */
export interface Appearance {
  theme: 'system' | 'light' | 'dark'
  direction: 'language' | 'ltr' | 'rtl'
}

const KEY = 'confab.appearance'
const DEFAULT: Appearance = { theme: 'system', direction: 'language' }
const RIGHT_TO_LEFT = /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/

export function readAppearance(): Appearance {
  try {
    return { ...DEFAULT, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Appearance>) }
  } catch {
    return DEFAULT
  }
}

export function applyAppearance({ theme, direction }: Appearance): void {
  const { dataset, dir } = document.documentElement
  dataset.theme = theme
  const wanted =
    direction === 'language' ? (RIGHT_TO_LEFT.test(navigator.language) ? 'rtl' : 'ltr') : direction
  if (dir !== wanted) document.documentElement.dir = wanted
}

export function keepAppearance(appearance: Appearance): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(appearance))
  } catch {
    // it holds until the page is closed
  }
  applyAppearance(appearance)
}
