import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { fixture } from './fixture/plugin.ts'
import { licences } from './licences.ts'

// RILLNET_URL=http://127.0.0.1:8020 npm run dev    works on that server; without it, on invented nets (fixture/).
const server = process.env.RILLNET_URL

export default defineConfig({
  base: './',
  plugins: [...(server ? [] : [fixture()]), licences()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    host: '127.0.0.1',
    proxy: server ? { '/api': { target: server, ws: true, changeOrigin: true } } : undefined,
  },
  preview: { host: '127.0.0.1' },
  worker: { format: 'es' },
  build: {
    outDir: fileURLToPath(new URL('../src/rillnet/serving/dashboard/static', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600, // elkjs is one file of 1.5 MB, which only its worker loads
  },
  test: {
    environment: 'happy-dom',
    include: ['tests/**/*.test.{ts,tsx}'],
  },
} as Parameters<typeof defineConfig>[0])
