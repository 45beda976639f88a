// A headless Chromium on the built page, served by `vite preview` with invented nets.

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const QUIET = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Serves the build, opens a browser, calls `use({browser, url})`, ends both. */
export async function withPage(use) {
  const port = await freePort()
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  const server = spawn(process.execPath, [vite, 'preview', '--port', String(port), '--strictPort'], { cwd: ROOT, stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}/`
  let browser
  try {
    await answers(url)
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: QUIET })
    await use({ browser, url })
  } finally {
    await browser?.close()
    server.kill()
  }
}

async function answers(url) {
  for (let n = 0; n < 100; n++) {
    try {
      await fetch(url)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error(`nothing answers at ${url}`)
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
