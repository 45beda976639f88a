/** What nodes send at present: maps, bars, numbers with their recent course. */

import { isInteger } from '../cards'
import type { Live } from '../live'
import type { Context, Look } from './look'
import type { Palette } from './palette'

export function paintPicture(context: Context, look: Look, node: number, live: Live, scale: number): void {
  const { scene, palette, chosen, words } = look
  const card = scene.cards[node]!
  const box = { x: scene.layout.x[node]! + card.box.x, y: scene.layout.y[node]! + card.box.y, width: card.box.width, height: card.box.height }
  context.globalAlpha = chosen !== null && words[node] !== chosen ? 0.28 : 1
  if (card.picture === 'map' && live.canvas) {
    context.imageSmoothingEnabled = box.width * scale < live.canvas.width
    context.drawImage(live.canvas, box.x, box.y, box.width, box.height)
  } else if (card.picture === 'bars' && live.values) {
    paintBars(context, palette, live.values, box)
  } else if (card.picture === 'trace' && live.course.length) {
    paintTrace(context, palette, live, box)
  }
  context.globalAlpha = 1
}

/** In the place of a picture that the frames of training do not make. */
export function paintAbsence(context: Context, look: Look, node: number): void {
  const { scene, palette } = look
  const { box } = scene.cards[node]!
  context.font = `10.5px ${palette.font}`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillStyle = palette.text3
  context.fillText('not in training', scene.layout.x[node]! + box.x + box.width / 2, scene.layout.y[node]! + box.y + box.height / 2)
}

interface Box {
  x: number
  y: number
  width: number
  height: number
}

/** A bar for each unit from zero; the largest in the accent. */
export function paintBars(context: Context, palette: Palette, values: ArrayLike<number>, box: Box): void {
  let [low, high, top] = [0, 0, 0]
  for (let n = 0; n < values.length; n++) {
    low = Math.min(low, values[n]!)
    high = Math.max(high, values[n]!)
    if (values[n]! > values[top]!) top = n
  }
  const span = high - low || 1
  const each = box.width / values.length
  const gap = Math.min(2, each * 0.25)
  const zero = box.y + (high / span) * box.height
  for (let n = 0; n < values.length; n++) {
    const height = (Math.abs(values[n]!) / span) * box.height
    context.fillStyle = n === top ? palette.accent : palette.text3
    context.fillRect(box.x + n * each + gap / 2, values[n]! >= 0 ? zero - height : zero, each - gap, Math.max(height, 0.5))
  }
  context.fillStyle = palette.moduleLine
  context.fillRect(box.x, zero - 0.4, box.width, 0.8)
}

/** The newest number; of real numbers, their course behind it. */
function paintTrace(context: Context, palette: Palette, live: Live, box: Box): void {
  const value = live.course.at(-1)!
  context.textBaseline = 'middle'
  context.fillStyle = palette.text
  if (isInteger(live.leaf)) {
    context.textAlign = 'center'
    context.font = `600 20px ${palette.font}`
    context.fillText(Number.isInteger(value) ? String(value) : numberText(value), box.x + box.width / 2, box.y + box.height / 2)
    return
  }
  context.textAlign = 'left'
  context.font = `600 13px ${palette.font}`
  const text = numberText(value)
  context.fillText(text, box.x + 1, box.y + box.height / 2)
  const taken = Math.max(44, 7 + context.measureText(text).width)
  if (live.course.length > 2) course(context, palette, live.course, { x: box.x + taken, y: box.y + 4, width: box.width - taken, height: box.height - 8 })
}

function course(context: Context, palette: Palette, values: number[], box: Box): void {
  const finite = values.filter(Number.isFinite)
  const low = Math.min(...finite)
  const span = Math.max(...finite) - low || 1
  context.strokeStyle = palette.accent
  context.lineWidth = 1.3
  context.beginPath()
  values.forEach((value, n) => {
    const x = box.x + (n / Math.max(1, values.length - 1)) * box.width
    const y = box.y + box.height * (1 - (value - low) / span)
    if (n) context.lineTo(x, y)
    else context.moveTo(x, y)
  })
  context.stroke()
}

export function numberText(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return value.toExponential(1)
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(3)
}
