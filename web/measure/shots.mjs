// Screenshots of the page on invented nets: node measure/shots.mjs FOLDER [NAME=session ...]

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { withPage } from './page.mjs'

const SIZES = { wide: [1600, 900], laptop: [1366, 768] }
const [folder = 'shots', ...wanted] = process.argv.slice(2)
const nets = wanted.length ? wanted : ['roman/1', 'pools/1', 'modules/1', 'wide/1000']

mkdirSync(folder, { recursive: true })
await withPage(async ({ browser, url }) => {
  for (const net of nets) {
    for (const [size, [width, height]] of Object.entries(SIZES)) {
      for (const colorScheme of ['light', 'dark']) {
        const page = await browser.newPage({ viewport: { width, height }, colorScheme })
        page.on('console', (message) => message.type() === 'error' && console.error(net, message.text()))
        page.on('pageerror', (error) => console.error(net, error))
        await page.goto(`${url}#/${net}`)
        await page.waitForFunction(() => performance.getEntriesByName('net:first-picture').length > 0, null, { timeout: 30000 })
        await page.waitForTimeout(1500)
        await page.screenshot({ path: join(folder, `${net.replace('/', '-')}-${size}-${colorScheme}.png`) })
        await page.close()
      }
    }
  }
})
