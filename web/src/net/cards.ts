/** How large a node is drawn, and what kind of picture of its output it has. */

import type { Shape } from '../protocol'
import type { Leaf, Shown } from './graph'
import { lastName } from './kinds'

/** `map`: a thumbnail; `bars`: a bar for each unit; `trace`: a number and its recent course; `none`. */
export type Picture = 'map' | 'bars' | 'trace' | 'none'

export interface Card {
  width: number
  height: number
  picture: Picture
  /** Where the picture is, from the card's upper left corner. */
  box: { x: number; y: number; width: number; height: number }
  title: string
  caption: string
}

export const HEAD = 33
const PAD = 7
const SIDE = 84
const LEAST = 96
const MOST = 190
const BARS = 48

const SHAPE_ONLY = /^(flatten|unflatten|reshape|permute|view|unfold|fold)$/i

/** The shape of a leaf's first output. */
export function shapeOf(leaf: Leaf): Shape | null {
  const shape = leaf.input ? leaf.input.shape : (leaf.block?.shape ?? null)
  if (!shape) return null
  return Array.isArray(shape[0]) ? (shape[0] as Shape) : (shape as Shape)
}

export function isInteger(leaf: Leaf): boolean {
  const dtype = leaf.input?.dtype ?? leaf.block?.dtype ?? ''
  return /int|bool/.test(Array.isArray(dtype) ? (dtype[0] ?? '') : dtype)
}

export function pictureOf(leaf: Leaf): Picture {
  const shape = shapeOf(leaf)
  if (!shape || (leaf.block && SHAPE_ONLY.test(lastName(leaf.block.type)))) return 'none'
  const count = shape.reduce((product, size) => product * size, 1)
  if (count === 1) return 'trace'
  if (shape.length === 1 && count <= BARS) return 'bars'
  return 'map'
}

/** Rows and columns for so many tiles: all filled if the picture is then at most twice as wide as high. */
export function nearSquare(count: number): [number, number] {
  const root = Math.floor(Math.sqrt(count))
  for (let rows = root; rows > 0 && count <= 2 * rows * rows; rows--) if (count % rows === 0) return [rows, count / rows]
  const columns = Math.ceil(Math.sqrt(count))
  return [Math.ceil(count / columns), columns]
}

export interface Extent {
  rows: number
  columns: number
  /** Height and width of each tile; null for a single picture. */
  tile: [number, number] | null
  /** How many tiles stand side by side. */
  across: number
}

/** Rows and columns of a thumbnail in full: the tiles of an output's channels, or a near-square of its units. */
export function extent(shape: Shape): Extent {
  const count = shape.reduce((product, size) => product * size, 1)
  if (shape.length <= 1) {
    const [rows, columns] = nearSquare(count)
    return { rows, columns, tile: null, across: 1 }
  }
  const [height, width] = [shape.at(-2)!, shape.at(-1)!]
  const tiles = count / (height * width)
  if (tiles === 1) return { rows: height, columns: width, tile: null, across: 1 }
  const [down, across] = shape.length === 4 ? [shape[0]!, shape[1]!] : nearSquare(tiles)
  return { rows: down * height, columns: across * width, tile: [height, width], across }
}

/** Whether an output is shown as one picture in colours. */
export function isColour(shape: Shape): boolean {
  return shape.length === 3 && shape[0] === 3 && shape[1]! >= 8 && shape[2]! >= 8
}

export function shapeText(shape: Shape | null): string {
  return shape ? shape.join('×') : ''
}

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
let measure: CanvasRenderingContext2D | null | undefined
const letters = new Map<string, number>()

/** Pixels that a text takes in the page's font: the sum of its letters, each measured once; estimated without a canvas. */
function textWidth(text: string, size: number, weight = 400): number {
  let width = 0
  for (const letter of text) {
    const key = weight + letter
    let share = letters.get(key)
    if (share === undefined) letters.set(key, (share = letterWidth(letter, weight)))
    width += share * size
  }
  return width
}

/** The width of a letter at a size of one pixel. */
function letterWidth(letter: string, weight: number): number {
  if (measure === undefined) measure = document.createElement('canvas').getContext?.('2d') ?? null
  if (!measure) return 0.58
  measure.font = `${weight} 100px ${FONT}`
  return measure.measureText(letter).width / 100
}

export function cardOf(node: Shown): Card {
  const leaf = node.kind === 'leaf' ? node.leaf : node.output
  const picture = leaf ? pictureOf(leaf) : 'none'
  const shape = leaf ? shapeOf(leaf) : null
  const caption =
    node.kind === 'module'
      ? `${node.module.count} block${node.module.count === 1 ? '' : 's'}`
      : [node.leaf.block ? lastName(node.leaf.block.type) : 'input', shapeText(shape)].filter(Boolean).join(' ')
  const wanted = Math.max(textWidth(node.label, 12.5, 600) + (node.kind === 'module' ? 18 : 0), textWidth(caption, 10.5)) + 18
  const [width, height] = boxSize(picture, shape)
  const outer = Math.round(Math.min(Math.max(wanted, width + 2 * PAD, LEAST), MOST))
  const box = picture === 'map' ? { x: (outer - width) / 2, width } : { x: PAD, width: outer - 2 * PAD }
  return {
    width: outer,
    height: HEAD + (picture === 'none' ? 4 : height + PAD + 2),
    picture,
    box: { x: box.x, y: HEAD + 1, width: box.width, height },
    title: node.label,
    caption,
  }
}

function boxSize(picture: Picture, shape: Shape | null): [number, number] {
  if (picture === 'none') return [0, 0]
  if (picture === 'trace') return [80, 30]
  if (picture === 'bars') return [80, 40]
  const { rows, columns } = isColour(shape!) ? { rows: shape![1]!, columns: shape![2]! } : extent(shape!)
  const scale = SIDE / Math.max(rows, columns)
  return [Math.max(24, Math.round(columns * scale)), Math.max(14, Math.round(rows * scale))]
}

/** Width of the plate on a link that says its delay. */
export function plateWidth(delay: number): number {
  return 8 + 6 * String(delay).length
}
