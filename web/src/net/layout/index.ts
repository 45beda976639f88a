/** Chooses the engine of a layout, and keeps the layouts of what was shown before. */

import { cardOf, type Card } from '../cards'
import type { Visible } from '../graph'
import { byElk, elkIsWarm, stopElk } from './elk'
import { layered } from './layered'
import { savedLayout, saveLayout } from './saved'
import type { Direction, LayoutAnswer, LayoutRequest } from './types'

/** Nodes and links up to which ELK is asked; it takes less than a second there. docs/decisions/0022 has the measurements. */
export const ELK_NODES = 160
export const ELK_LINKS = 360
/**
 * Milliseconds after which ELK is given up, and after which the other layout is shown until ELK's is there. While ELK's
 * program is not read yet, which takes longer than most layouts, the other is shown at once, and ELK begins after it.
 */
const ELK_PATIENCE = 15_000
const INTERIM = 500
const BREATH = 120
const KEPT = 12

export interface LaidOut {
  layout: LayoutAnswer
  cards: Card[]
}

const kept = new Map<string, Promise<LaidOut>>()

/**
 * The layout of what is shown; the same promise again for a key that was asked for before.
 *
 * `interim` is given a simpler one, if the final one takes long.
 */
export function layOut(key: string, shown: Visible, direction: Direction, aspect: number, interim: (found: LaidOut) => void = () => {}): Promise<LaidOut> {
  const known = kept.get(key)
  if (known) return known
  const made = computed(shown, direction, aspect, interim)
  kept.set(key, made)
  made.catch(() => kept.delete(key))
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!)
  return made
}

async function computed(shown: Visible, direction: Direction, aspect: number, interim: (found: LaidOut) => void): Promise<LaidOut> {
  const cards = shown.nodes.map(cardOf)
  const request = requestOf(shown, cards, direction, aspect)
  const isSmall = shown.nodes.length <= ELK_NODES && shown.links.length <= ELK_LINKS
  if (!isSmall) return { layout: await inWorker(request), cards }
  const known = savedLayout(request)
  if (known) return { layout: known, cards }
  const show = () => interim({ layout: layered(request), cards })
  let waiting: ReturnType<typeof setTimeout> | undefined
  if (elkIsWarm()) waiting = setTimeout(show, INTERIM)
  else {
    show()
    await new Promise((resolve) => setTimeout(resolve, BREATH))
  }
  const { layout, isFinal } = await elkOrLayered(request)
  clearTimeout(waiting)
  if (isFinal) saveLayout(request, layout)
  return { layout, cards }
}

export function requestOf(shown: Visible, cards: Card[], direction: Direction, aspect: number): LayoutRequest {
  const numberOf = new Map(shown.frames.map((frame, n) => [frame.path, n]))
  const frame = (path: string | null) => (path === null ? -1 : (numberOf.get(path) ?? -1))
  return {
    direction,
    aspect,
    widths: Float32Array.from(cards, (card) => card.width),
    heights: Float32Array.from(cards, (card) => card.height),
    frameOf: Int32Array.from(shown.nodes, (node) => frame(node.frame)),
    frameParents: Int32Array.from(shown.frames, (module) => frame(module.parent)),
    sources: Int32Array.from(shown.links, (link) => link.source),
    targets: Int32Array.from(shown.links, (link) => link.target),
  }
}

/** ELK's layout, or where ours shows more; `isFinal` unless ELK took too long, which may be otherwise another time. */
async function elkOrLayered(request: LayoutRequest): Promise<{ layout: LayoutAnswer; isFinal: boolean }> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, ELK_PATIENCE, null))
  try {
    const answer = await Promise.race([byElk(request), late])
    if (answer) return { layout: isLong(answer, request) ? shorter(answer, await inWorker(request), request.aspect) : answer, isFinal: true }
    stopElk()
  } catch (error) {
    console.warn('ELK could not lay the net out', error)
  }
  return { layout: await inWorker(request), isFinal: false }
}

/** Whether a layout leaves most of a view empty when it is shown whole. */
function isLong({ width, height }: LayoutAnswer, { aspect }: LayoutRequest): boolean {
  return width / height > 3 * aspect || height / width > 3 / aspect
}

/** ELK leaves a long chain of modules as long as it is; ours folds it, and is taken where it can be shown much larger. */
function shorter(elk: LayoutAnswer, folded: LayoutAnswer, aspect: number): LayoutAnswer {
  const scale = ({ width, height }: LayoutAnswer) => Math.min(aspect / width, 1 / height)
  return scale(folded) > 1.5 * scale(elk) ? folded : elk
}

let worker: Worker | null = null
let number = 0

function layoutWorker(): Worker {
  worker ??= new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  return worker
}

function inWorker(request: LayoutRequest): Promise<LayoutAnswer> {
  const asked = ++number
  const to = layoutWorker()
  return new Promise((resolve, reject) => {
    const hear = ({ data }: MessageEvent<{ number: number; answer: LayoutAnswer }>) => {
      if (data.number !== asked) return
      to.removeEventListener('message', hear)
      resolve(data.answer)
    }
    to.addEventListener('message', hear)
    to.addEventListener('error', (event) => reject(new Error(event.message)), { once: true })
    to.postMessage({ number: asked, request })
  })
}
