/** Links: thicker and stronger in colour the larger their weight, an arrow at the end, the delay on a small plate. */

import { plateWidth } from '../cards'
import { curvePoint, isCurve } from '../scene'
import type { Context, Look } from './look'

export function paintLinks(context: Context, look: Look, links: number[], scale: number): void {
  if (scale < 0.09) paintFar(context, look, links, scale)
  else for (const link of links) paintLink(context, look, link, scale)
}

/** Many thin links as one path, which is many times faster than one by one. */
function paintFar(context: Context, look: Look, links: number[], scale: number): void {
  const { paths, routed } = look.scene.layout
  context.beginPath()
  for (const link of links) {
    const path = paths[link]!
    if (path.length < 4) continue
    context.moveTo(path[0]!, path[1]!)
    if (!isCurve(path, routed)) for (let n = 2; n < path.length; n += 2) context.lineTo(path[n]!, path[n + 1]!)
    else context.lineTo(path.at(-2)!, path.at(-1)!)
  }
  context.globalAlpha = Math.max(0.1, Math.min(0.5, 400 / Math.max(1, links.length) + scale * 2))
  context.strokeStyle = look.palette.edge
  context.lineWidth = 0.8 / scale
  context.stroke()
  context.globalAlpha = 1
}

export function paintLink(context: Context, look: Look, link: number, scale: number, colour?: string): void {
  const { scene, palette, chosen, words } = look
  const { source, target, delay, wires } = scene.shown.links[link]!
  const path = scene.layout.paths[link]!
  if (path.length < 4) return
  const marks = edgeMarks(look, wires)
  const isCut = marks.some((mark) => mark.kind === 'lesion')
  const strength = look.weights.strength(scene, link)
  const width = Math.max(strength === null ? 1.3 : 0.9 + 2.8 * strength, 0.7 / scale) + (colour ? 0.8 : 0)
  const stroke = colour ?? (isCut ? palette.bad : palette.edge)
  const isDim = chosen !== null && words[source] !== chosen && words[target] !== chosen
  context.globalAlpha = isDim ? 0.15 : colour || isCut ? 1 : strength === null ? 0.75 : 0.42 + 0.58 * strength
  context.strokeStyle = stroke
  context.lineWidth = width
  if (isCut) context.setLineDash([5, 4])
  trace(context, path, scene.layout.routed)
  context.stroke()
  if (isCut) context.setLineDash([])
  if (scale > 0.16) arrow(context, path, stroke, width)
  context.globalAlpha = isDim ? 0.2 : 1
  if (isCut && scale > 0.2) cross(context, middleOf(path), palette.bad)
  else if (delay && scale > 0.44) plate(context, look, [scene.plates[2 * link]!, scene.plates[2 * link + 1]!], delay)
  context.globalAlpha = 1
}

function edgeMarks(look: Look, wires: number[]) {
  if (!look.edgeMarks.size) return []
  return wires.flatMap((wire) => {
    const { from, to } = look.scene.graph.wires[wire]!.info
    return look.edgeMarks.get(`${from}->${to}`) ?? []
  })
}

/** The line of a link, short of its arrow's tip. */
export function trace(context: Context, path: Float32Array, routed: boolean): void {
  context.beginPath()
  context.moveTo(path[0]!, path[1]!)
  if (isCurve(path, routed)) {
    context.bezierCurveTo(path[2]!, path[3]!, path[4]!, path[5]!, path[6]!, path[7]!)
    return
  }
  for (let n = 2; n < path.length - 2; n += 2) {
    const reach = Math.min(distance(path, n - 2, n), distance(path, n, n + 2)) / 2
    context.arcTo(path[n]!, path[n + 1]!, path[n + 2]!, path[n + 3]!, Math.min(7, reach))
  }
  context.lineTo(path.at(-2)!, path.at(-1)!)
}

function distance(path: Float32Array, a: number, b: number): number {
  return Math.hypot(path[b]! - path[a]!, path[b + 1]! - path[a + 1]!)
}

function arrow(context: Context, path: Float32Array, colour: string, width: number): void {
  const [x, y] = [path.at(-2)!, path.at(-1)!]
  const [fromX, fromY] = [path.at(-4)!, path.at(-3)!]
  const angle = Math.atan2(y - fromY, x - fromX)
  const size = 6 + width
  context.fillStyle = colour
  context.beginPath()
  context.moveTo(x, y)
  context.lineTo(x - size * Math.cos(angle - 0.42), y - size * Math.sin(angle - 0.42))
  context.lineTo(x - size * Math.cos(angle + 0.42), y - size * Math.sin(angle + 0.42))
  context.fill()
}

/** The delay in frames. */
function plate(context: Context, { palette }: Look, [x, y]: [number, number], delay: number): void {
  const text = String(delay)
  const width = plateWidth(delay)
  context.beginPath()
  context.roundRect(x - width / 2, y - 7, width, 14, 4)
  context.fillStyle = palette.ground
  context.fill()
  context.strokeStyle = palette.delay
  context.lineWidth = 1
  context.stroke()
  context.fillStyle = palette.delay
  context.font = `600 10px ${palette.font}`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(text, x, y + 0.5)
}

/** The middle of a path's points. */
function middleOf(path: Float32Array): [number, number] {
  if (path.length === 8) return curvePoint(path, 0.5)
  const n = 2 * Math.floor((path.length / 2 - 1) / 2)
  return [(path[n]! + path[n + 2]!) / 2, (path[n + 1]! + path[n + 3]!) / 2]
}

function cross(context: Context, [x, y]: [number, number], colour: string): void {
  context.strokeStyle = colour
  context.lineWidth = 2.4
  context.beginPath()
  context.moveTo(x - 5, y - 5)
  context.lineTo(x + 5, y + 5)
  context.moveTo(x + 5, y - 5)
  context.lineTo(x - 5, y + 5)
  context.stroke()
}
