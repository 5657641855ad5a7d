import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { applyAppearance, readAppearance } from './lib/appearance.ts'
import './styles/tokens.css'
import './styles/app.css'
import './styles/chat.css'
import './styles/timeline.css'
import './styles/panels.css'

applyAppearance(readAppearance())
// the other half of the demo, or another tab, has chosen
addEventListener('storage', () => applyAppearance(readAppearance()))

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  )
}

if ('serviceWorker' in navigator && import.meta.env.PROD) {
  navigator.serviceWorker.register('/sw.js').catch(() => {
    // no worker here (a private window, say): the app then needs a network to open, and none to work
  })
}
