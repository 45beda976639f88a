// How fast the net is drawn: node measure/speed.mjs [SESSION ...]   prints a line of JSON for each
//
// Beside the time that passed stands the processor's time (`cpu`), which a machine that is busy otherwise changes less.

import { withPage } from './page.mjs'

const nets = process.argv.length > 2 ? process.argv.slice(2) : ['roman/1', 'wide/1000', 'areas/1000', 'wide/10000', 'areas/10000']

await withPage(async ({ browser, url }) => {
  const cdp = await browser.newBrowserCDPSession()
  const cpu = async () => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
    return Object.fromEntries(processInfo.map(({ id, cpuTime }) => [id, cpuTime]))
  }
  const spent = async (before) => {
    const after = await cpu()
    return Object.entries(after).reduce((sum, [id, time]) => sum + time - (before[id] ?? 0), 0)
  }
  for (const net of nets) {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } })
    const before = await cpu()
    await page.goto(`${url}#/${net}`)
    await page.waitForFunction(() => performance.getEntriesByName('net:first-picture').length > 0, null, { timeout: 120000 })
    const picture = await page.evaluate(() => performance.getEntriesByName('net:first-picture')[0].startTime)
    const opening = { picture_ms: picture, picture_cpu_ms: 1000 * (await spent(before)) }
    await page.waitForTimeout(2500)
    const laidOut = await page.evaluate(() => performance.getEntriesByName('net:laid-out')[0]?.detail)
    const measured = async (act) => {
      const start = await cpu()
      const { rate, count } = await act(page)
      return { per_s: rate, cpu_ms: (1000 * (await spent(start))) / count }
    }
    const result = { net, ...opening, ...laidOut, pan: await measured(pan), zoom: await measured(zoom), pan_near: await measured(pan) }
    console.log(JSON.stringify(result, (_, value) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value)))
    await page.close()
  }
})

/** Drags the net about for three seconds; redraws per second. */
async function pan(page) {
  const box = await page.locator('.net-canvas').boundingBox()
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
  await page.mouse.move(x, y)
  await page.mouse.down()
  const found = await during(page, async (n) => page.mouse.move(x + 160 * Math.sin(n / 12), y + 90 * Math.sin(n / 7)))
  await page.mouse.up()
  return found
}

/** Turns the wheel in and out for three seconds; ends four times as near. */
async function zoom(page) {
  const found = await during(page, async (n) => page.mouse.wheel(0, n % 40 < 20 ? -120 : 120))
  for (let n = 0; n < 9; n++) await page.mouse.wheel(0, -120)
  await page.waitForTimeout(1200)
  return found
}

async function during(page, act) {
  const count = () => page.evaluate(() => document.querySelector('.net-canvas').redraws)
  const before = await count()
  const began = performance.now()
  for (let n = 0; performance.now() - began < 3000; n++) await act(n)
  const seconds = (performance.now() - began) / 1000
  const drawn = (await count()) - before
  return { rate: drawn / seconds, count: drawn }
}
