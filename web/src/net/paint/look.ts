/** What painting needs to know besides the scene. */

import type { Colour } from '../kinds'
import type { Mark, Marks } from '../marks'
import type { Scene } from '../scene'
import type { LiveWeights } from '../weights'
import type { Palette } from './palette'

export interface Look {
  scene: Scene
  palette: Palette
  /** The word that each node is coloured by, and the colours of words. */
  words: string[]
  colours: Map<string, Colour>
  /** The only word whose nodes are drawn in full; null for all. */
  chosen: string | null
  /** By node id. */
  marks: Map<string, Mark[]>
  edgeMarks: Marks['edges']
  weights: LiveWeights
}

/** A drawing context whose units are those of the scene. */
export type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D

export function markColour(kind: string, palette: Palette): string {
  if (kind === 'lesion') return palette.bad
  if (kind === 'noise') return palette.warn
  if (kind === 'clamp') return palette.focus
  return palette.text2
}

/** Texts shortened to a width, remembered, as measuring is slow. */
const shortened = new Map<string, string>()

export function fitted(context: Context, text: string, width: number): string {
  const key = `${context.font}\n${text}\n${Math.round(width)}`
  const known = shortened.get(key)
  if (known !== undefined) return known
  if (shortened.size > 20000) shortened.clear()
  let made = text
  if (context.measureText(text).width > width) {
    let [least, most] = [0, text.length]
    while (least < most) {
      const keep = Math.ceil((least + most) / 2)
      if (context.measureText(cut(text, keep)).width <= width) least = keep
      else most = keep - 1
    }
    made = least > 1 ? cut(text, least) : ''
  }
  shortened.set(key, made)
  return made
}

/** The beginning and the end of a text: names of blocks differ at both, most at the end. */
function cut(text: string, keep: number): string {
  const end = Math.ceil(keep / 2)
  return `${text.slice(0, keep - end)}…${text.slice(-end)}`
}
