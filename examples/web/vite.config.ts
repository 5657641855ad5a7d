import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** Writes the service worker with the names of everything that the app is made of. */
function serviceWorker(): Plugin {
  return {
    name: 'service-worker',
    apply: 'build',
    generateBundle(_, bundle) {
      const files = [
        '/',
        ...Object.keys(bundle).map((name) => `/${name}`),
        '/icon.svg',
        '/manifest.webmanifest',
      ]
      const list = files.filter((name) => !name.endsWith('.map') && name !== '/index.html')
      const version = createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 16)
      const source = readFileSync(join(import.meta.dirname, 'src/service-worker.js'), 'utf8')
      this.emitFile({
        type: 'asset',
        fileName: 'sw.js',
        source: `const VERSION = ${JSON.stringify(version)}\nconst FILES = ${JSON.stringify(list)}\n${source}`,
      })
    },
  }
}

export default defineConfig({
  plugins: [react(), serviceWorker()],
  build: {
    target: 'es2022',
    emptyOutDir: true,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: {
        // what a start needs is one file on purpose: in several it compresses worse, by 7 kB
        codeSplitting: { groups: [{ name: 'app', tags: ['$initial'] }] },
      },
    },
  },
  server: {
    proxy: { '/v1': { target: 'http://127.0.0.1:4455', ws: true }, '/demo/token': 'http://127.0.0.1:4455' },
  },
})
