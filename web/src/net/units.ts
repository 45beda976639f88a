/** Units of an output under a thumbnail's pixels, and commands that name them. */

import type { Mask, Shape } from '../protocol'
import { extent } from './cards'

/** What of the channels a picture shows: every one as a tile, their mean, or one. */
export type Channel = 'all' | 'mean' | number

export interface Box {
  top: number
  left: number
  bottom: number
  right: number
}

/** Rows and columns of units that a picture shows. */
export function sizeOf(shape: Shape, channel: Channel): { rows: number; columns: number } {
  if (shape.length >= 3 && channel !== 'all') return { rows: shape.at(-2)!, columns: shape.at(-1)! }
  return extent(shape)
}

/** The indices of the unit at a row and column of the picture; null beside the last tile. A mean stands for no unit. */
export function unitAt(shape: Shape, channel: Channel, row: number, column: number): number[] | null {
  if (row < 0 || column < 0) return null
  const { rows, columns, tile, across } = extent(shape)
  if (shape.length >= 3 && channel !== 'all') {
    const inside = row < shape.at(-2)! && column < shape.at(-1)!
    return inside && typeof channel === 'number' ? [channel, row, column] : null
  }
  if (row >= rows || column >= columns) return null
  if (!tile) {
    if (shape.length <= 1) return row * columns + column < (shape[0] ?? 1) ? [row * columns + column] : null
    return [...new Array<number>(shape.length - 2).fill(0), row, column]
  }
  const number = Math.floor(row / tile[0]) * across + Math.floor(column / tile[1])
  const lead = shape.slice(0, -2)
  if (number >= lead.reduce((product, size) => product * size, 1)) return null
  const indices: number[] = []
  for (let dim = lead.length - 1, left = number; dim >= 0; dim--) {
    indices.unshift(left % lead[dim]!)
    left = Math.floor(left / lead[dim]!)
  }
  return [...indices, row % tile[0], column % tile[1]]
}

/** Marks units by their picture's rows and columns; drawn on a mean, a place is marked in every channel. */
export class Drawn {
  readonly marked: Uint8Array

  constructor(
    readonly shape: Shape,
    readonly channel: Channel,
  ) {
    this.marked = new Uint8Array(this.maskShape().reduce((product, size) => product * size, 1))
  }

  get count(): number {
    return this.marked.reduce((sum, bit) => sum + bit, 0)
  }

  /** The mean's mask has no channels, and so holds for each of them. */
  maskShape(): Shape {
    return this.channel === 'mean' && this.shape.length >= 3 ? this.shape.slice(-2) : this.shape
  }

  mark(row: number, column: number): void {
    const shape = this.maskShape()
    if (this.channel === 'mean' && this.shape.length >= 3) {
      if (row >= 0 && column >= 0 && row < shape[0]! && column < shape[1]!) this.marked[row * shape[1]! + column] = 1
      return
    }
    const unit = unitAt(this.shape, this.channel, row, column)
    if (unit) this.marked[unit.reduce((at, index, dim) => at * shape[dim]! + index, 0)] = 1
  }

  markDisc(row: number, column: number, radius: number): void {
    const reach = Math.ceil(radius)
    for (let r = row - reach; r <= row + reach; r++) {
      for (let c = column - reach; c <= column + reach; c++) if (Math.hypot(r - row, c - column) <= radius) this.mark(r, c)
    }
  }

  markBox(box: Box): void {
    for (let row = box.top; row <= box.bottom; row++) for (let column = box.left; column <= box.right; column++) this.mark(row, column)
  }

  isMarked(row: number, column: number): boolean {
    const shape = this.maskShape()
    if (this.channel === 'mean' && this.shape.length >= 3) return this.marked[row * shape[1]! + column] === 1
    const unit = unitAt(this.shape, this.channel, row, column)
    return unit !== null && this.marked[unit.reduce((at, index, dim) => at * shape[dim]! + index, 0)] === 1
  }

  mask(): Mask {
    return encodeMask(this.maskShape(), this.marked)
  }
}

export function encodeMask(shape: Shape, marked: Uint8Array): Mask {
  const bytes = new Uint8Array(Math.ceil(marked.length / 8))
  marked.forEach((bit, n) => {
    if (bit) bytes[n >> 3]! |= 128 >> (n & 7)
  })
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return { shape, bits: btoa(text) }
}

export function decodeMask({ shape, bits }: Mask): Uint8Array {
  const text = atob(bits)
  const count = shape.reduce((product, size) => product * size, 1)
  return Uint8Array.from({ length: count }, (_, n) => ((text.charCodeAt(n >> 3) >> (7 - (n & 7))) & 1))
}

export type Deed = 'lesion' | 'clamp' | 'restore'

/** The words of a command that acts on drawn units; a single unit is named by its indices. */
export function commandOn(path: string, deed: Deed, drawn: Drawn, value: number): string {
  const worth = deed === 'clamp' ? ` ${value}` : ''
  const shape = drawn.maskShape()
  if (drawn.count === 1 && shape.length === drawn.shape.length) {
    const indices = new Array<number>(shape.length)
    for (let dim = shape.length - 1, left = drawn.marked.indexOf(1); dim >= 0; dim--) {
      indices[dim] = left % shape[dim]!
      left = Math.floor(left / shape[dim]!)
    }
    return `${deed} ${path}[${indices.join(', ')}]${worth}`
  }
  const { bits } = drawn.mask()
  return `${deed} ${path}${worth} mask={shape: [${shape.join(', ')}], bits: "${bits}"}`
}
