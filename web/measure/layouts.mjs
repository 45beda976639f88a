// How long ELK and our own layout take: node measure/layouts.mjs   prints a row for each net

import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'
import { createServer } from 'vite'

globalThis.document = { createElement: () => ({}), baseURI: 'http://127.0.0.1/' }
const ELK = createRequire(import.meta.url)('elkjs/lib/elk.bundled.js')
const vite = await createServer({ root: fileURLToPath(new URL('..', import.meta.url)), server: { middlewareMode: true, hmr: false, ws: false }, logLevel: 'error' })
const load = (path) => vite.ssrLoadModule(path)
const { wide, modules } = await load('/fixture/nets.ts')
const { graphOf, visible } = await load('/src/net/graph.ts')
const { cardOf } = await load('/src/net/cards.ts')
const { requestOf } = await load('/src/net/layout/index.ts')
const { layered } = await load('/src/net/layout/layered.ts')
const { elkGraph } = await load('/src/net/layout/elk.ts')

const nets = [['modules', modules()], ...[50, 100, 200, 300, 500, 1000].map((count) => [`${count} pools`, wide(count, false)]), ...[100, 300, 1000].map((count) => [`${count} pools in areas`, wide(count, true)]), ['10000 pools', wide(10000, false)], ['10000 pools in areas', wide(10000, true)]]
for (const [name, description] of nets) {
  const shown = visible(graphOf(description), new Set())
  const request = requestOf(shown, shown.nodes.map(cardOf), 'right', 1.7)
  const own = timed(() => layered(request))
  const elk = shown.nodes.length > 1001 ? '-' : await timedOnce(() => new ELK().layout(elkGraph(request)))
  console.log([name, shown.nodes.length, shown.links.length, own.toFixed(0), elk].join('\t'))
}
await vite.close()

function timed(act) {
  let least = Infinity
  for (let n = 0; n < 3; n++) {
    const began = performance.now()
    act()
    least = Math.min(least, performance.now() - began)
  }
  return least
}

async function timedOnce(act) {
  const began = performance.now()
  await act()
  return (performance.now() - began).toFixed(0)
}
