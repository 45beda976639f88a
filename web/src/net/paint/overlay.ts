/** What lies over the net: interventions, the selection, the pointer. */

import type { Rect } from '../camera'
import type { Mark } from '../marks'
import { paintLink } from './links'
import { fitted, markColour, type Context, type Look } from './look'

export interface Pointed {
  node: number | null
  link: number | null
  frame: number | null
}

export function paintMarks(context: Context, look: Look, nodes: number[], scale: number): void {
  if (!look.marks.size) return
  for (const node of nodes) {
    const marks = look.marks.get(look.scene.shown.nodes[node]!.id)
    if (marks) paintMark(context, look, node, marks, scale)
  }
}

function paintMark(context: Context, look: Look, node: number, marks: Mark[], scale: number): void {
  const { scene, palette } = look
  const rect = scene.rect(node)
  const strongest = marks.find((mark) => mark.kind === 'lesion') ?? marks[0]!
  const colour = markColour(strongest.kind, palette)
  if (strongest.kind === 'lesion' && strongest.whole) hatch(context, rect, colour, scale)
  context.strokeStyle = colour
  context.lineWidth = Math.max(1.8, 2.2 / scale)
  context.beginPath()
  context.roundRect(rect.x, rect.y, rect.width, rect.height, 6)
  context.stroke()
  if (scale < 0.3) return
  context.font = `600 10px ${palette.font}`
  let right = rect.x + rect.width + 4
  for (const mark of marks.slice(0, 2).reverse()) {
    const text = fitted(context, mark.whole ? mark.text : `${mark.text} (part)`, rect.width - 14)
    const width = context.measureText(text).width + 12
    context.beginPath()
    context.roundRect(right - width, rect.y - 14, width, 16, 8)
    context.fillStyle = markColour(mark.kind, palette)
    context.fill()
    context.fillStyle = palette.isDark ? '#101418' : '#ffffff'
    context.textAlign = 'left'
    context.textBaseline = 'middle'
    context.fillText(text, right - width + 6, rect.y - 5.5)
    right -= width + 4
  }
}

/** Slanted lines over what sends nothing. */
function hatch(context: Context, rect: Rect, colour: string, scale: number): void {
  context.save()
  context.beginPath()
  context.roundRect(rect.x, rect.y, rect.width, rect.height, 6)
  context.clip()
  context.globalAlpha = 0.55
  context.strokeStyle = colour
  context.lineWidth = 1.4
  const step = Math.max(8, 5 / scale)
  context.beginPath()
  for (let at = -rect.height; at < rect.width; at += step) {
    context.moveTo(rect.x + at, rect.y + rect.height)
    context.lineTo(rect.x + at + rect.height, rect.y)
  }
  context.stroke()
  context.restore()
}

export function paintSelection(context: Context, look: Look, selected: Pointed, hovered: Pointed, scale: number): void {
  const { scene, palette } = look
  if (selected.node !== null) {
    for (const link of scene.linksAt[selected.node]!.slice(0, 400)) paintLink(context, look, link, scale, palette.accent)
    outline(context, scene.rect(selected.node), palette.accent, 2.4 / Math.min(scale, 1.2), 3 / Math.min(scale, 1.2))
  }
  if (selected.link !== null) paintLink(context, look, selected.link, scale, palette.accent)
  if (selected.frame !== null) outline(context, scene.frame(selected.frame), palette.accent, 2 / scale, 2 / scale)
  if (hovered.node !== null && hovered.node !== selected.node) outline(context, scene.rect(hovered.node), palette.focus, 1.5 / scale, 2.5 / scale)
  else if (hovered.link !== null && hovered.link !== selected.link) paintLink(context, look, hovered.link, scale, palette.focus)
}

function outline(context: Context, rect: Rect, colour: string, width: number, apart: number): void {
  context.strokeStyle = colour
  context.lineWidth = width
  context.beginPath()
  context.roundRect(rect.x - apart, rect.y - apart, rect.width + 2 * apart, rect.height + 2 * apart, 8)
  context.stroke()
}
