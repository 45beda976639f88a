/** Cards of blocks, inputs and collapsed modules, and the frames of expanded ones: less of them the smaller they are. */

import { HEAD } from '../cards'
import { FRAME_HEAD } from '../layout/types'
import { fitted, type Context, type Look } from './look'

/** Scales below which names, and below which captions, are left out. */
const NAMES = 0.2
const CAPTIONS = 0.56

export function paintFrames(context: Context, look: Look, frames: number[], scale: number): void {
  const { scene, palette } = look
  for (const number of frames) {
    const { x, y, width, height } = scene.frame(number)
    const depth = scene.shown.frames[number]!.path.split('/').length
    context.beginPath()
    context.roundRect(x, y, width, height, Math.min(9, 3 / scale))
    context.globalAlpha = 0.55
    context.fillStyle = palette.module
    context.fill()
    context.globalAlpha = 1
    context.strokeStyle = palette.moduleLine
    context.lineWidth = Math.max(1, (depth === 1 ? 1 : 0.6) / scale)
    context.stroke()
    paintFrameName(context, look, number, scale)
  }
}

/** In the head of the frame, with the sign that collapses it. */
function paintFrameName(context: Context, { scene, palette }: Look, number: number, scale: number): void {
  if (scale < NAMES) return
  const { x, y, width } = scene.frame(number)
  const size = Math.min(FRAME_HEAD - 6, Math.max(11.5, 9.5 / scale))
  context.font = `600 ${size}px ${palette.font}`
  context.textAlign = 'left'
  context.textBaseline = 'middle'
  context.fillStyle = palette.text2
  const left = scale > 0.3 ? 21 : 8
  if (left > 8) chevron(context, x + 12, y + FRAME_HEAD / 2 + 1, true, palette.text3)
  context.fillText(fitted(context, scene.shown.frames[number]!.name, width - left - 6), x + left, y + FRAME_HEAD / 2 + 1)
}

/** From afar the names of outer frames lie over their blocks, as large as there is room. */
export function paintFarNames(context: Context, { scene, palette }: Look, frames: number[], scale: number): void {
  if (scale >= NAMES) return
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.lineJoin = 'round'
  for (const number of frames) {
    const { x, y, width, height } = scene.frame(number)
    const module = scene.shown.frames[number]!
    if (module.path.includes('/') && width * scale < 90) continue
    const size = Math.min(13 / scale, height * 0.5)
    if (width * scale < 34 || size * scale < 7) continue
    context.font = `650 ${size}px ${palette.font}`
    const name = fitted(context, module.name, width)
    context.strokeStyle = palette.ground
    context.lineWidth = size * 0.35
    context.globalAlpha = 0.85
    context.strokeText(name, x + width / 2, y + height / 2)
    context.globalAlpha = 1
    context.fillStyle = palette.text
    context.fillText(name, x + width / 2, y + height / 2)
  }
}

export function paintNodes(context: Context, look: Look, nodes: number[], scale: number): void {
  if (scale < NAMES) {
    paintFar(context, look, nodes, scale)
    return
  }
  for (const node of nodes) paintNode(context, look, node, scale)
}

function paintFar(context: Context, look: Look, nodes: number[], scale: number): void {
  const { scene, colours, words, chosen } = look
  const grow = Math.max(0, 2 / scale - 60) / 2 // never thinner than two pixels
  const byWord = new Map<string, number[]>()
  for (const node of nodes) {
    const list = byWord.get(words[node]!)
    if (list) list.push(node)
    else byWord.set(words[node]!, [node])
  }
  for (const [word, list] of byWord) {
    context.fillStyle = colours.get(word)?.solid ?? '#888'
    context.globalAlpha = chosen !== null && word !== chosen ? 0.2 : 1
    for (const node of list) {
      const card = scene.cards[node]!
      context.fillRect(scene.layout.x[node]! - grow, scene.layout.y[node]! - grow, card.width + 2 * grow, card.height + 2 * grow)
    }
  }
  context.globalAlpha = 1
}

function paintNode(context: Context, look: Look, node: number, scale: number): void {
  const { scene, palette, colours, words, chosen } = look
  const shown = scene.shown.nodes[node]!
  const card = scene.cards[node]!
  const [x, y] = [scene.layout.x[node]!, scene.layout.y[node]!]
  const colour = colours.get(words[node]!)!
  const radius = shown.kind === 'leaf' && shown.leaf.input ? 12 : 6
  context.globalAlpha = chosen !== null && words[node] !== chosen ? 0.28 : 1
  context.lineWidth = Math.max(1, 0.8 / scale)
  context.strokeStyle = colour.line
  if (shown.kind === 'module') {
    context.beginPath()
    context.roundRect(x + 4, y + 4, card.width, card.height, radius)
    context.fillStyle = palette.block
    context.fill()
    context.stroke()
  }
  context.beginPath()
  context.roundRect(x, y, card.width, card.height, radius)
  context.fillStyle = palette.block
  context.fill()
  head(context, x, y, card.width, card.picture === 'none' ? card.height : HEAD - 4, radius, card.picture === 'none', colour.soft)
  const isExcluded = shown.kind === 'leaf' && (shown.leaf.block?.exclude.length ?? 0) > 0
  if (isExcluded) context.setLineDash([4, 3])
  context.beginPath()
  context.roundRect(x, y, card.width, card.height, radius)
  context.stroke()
  if (isExcluded) context.setLineDash([])
  if (card.picture === 'map') {
    context.fillStyle = palette.empty
    context.fillRect(x + card.box.x, y + card.box.y, card.box.width, card.box.height)
  }
  texts(context, look, node, scale)
  context.globalAlpha = 1
}

function head(context: Context, x: number, y: number, width: number, height: number, radius: number, isWhole: boolean, fill: string): void {
  context.beginPath()
  context.roundRect(x, y, width, height, isWhole ? radius : [radius, radius, 0, 0])
  context.fillStyle = fill
  context.fill()
}

function texts(context: Context, { scene, palette }: Look, node: number, scale: number): void {
  const card = scene.cards[node]!
  const shown = scene.shown.nodes[node]!
  const [x, y] = [scene.layout.x[node]!, scene.layout.y[node]!]
  const hasCaption = scale >= CAPTIONS
  const room = card.width - 14 - (shown.kind === 'module' && hasCaption ? 14 : 0)
  context.font = `600 12.5px ${palette.font}`
  const size = hasCaption ? 12.5 : nameSize(context.measureText(card.title).width / 12.5, room, scale)
  if (size * scale < 4.5) return
  if (!hasCaption) context.font = `600 ${size}px ${palette.font}`
  context.textAlign = 'left'
  context.textBaseline = 'middle'
  context.fillStyle = palette.text
  context.fillText(fitted(context, card.title, room), x + 8, y + (hasCaption ? 10.5 : HEAD / 2 - 1))
  if (shown.kind === 'module' && hasCaption) chevron(context, x + card.width - 12, y + 14, false, palette.text2)
  if (!hasCaption) return
  context.font = `10.5px ${palette.font}`
  context.fillStyle = palette.text2
  context.fillText(fitted(context, card.caption, room), x + 8, y + 22.5)
}

/** Small names are enlarged so far as they fit, and shortened only where they could not be read otherwise. */
function nameSize(widthAtOne: number, room: number, scale: number): number {
  const wanted = Math.min(30, Math.max(12.5, 10 / scale))
  const fitting = room / widthAtOne
  return Math.max(Math.min(wanted, fitting), Math.min(wanted, 7.5 / scale))
}

/** Points down where a click collapses, right where it expands. */
function chevron(context: Context, x: number, y: number, isOpen: boolean, colour: string): void {
  context.strokeStyle = colour
  context.lineWidth = 1.6
  context.beginPath()
  if (isOpen) {
    context.moveTo(x - 3.5, y - 1.8)
    context.lineTo(x, y + 1.8)
    context.lineTo(x + 3.5, y - 1.8)
  } else {
    context.moveTo(x - 1.8, y - 3.5)
    context.lineTo(x + 1.8, y)
    context.lineTo(x - 1.8, y + 3.5)
  }
  context.stroke()
}
