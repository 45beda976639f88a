/** Parts of a block, as commands name them: units, rectangles, and painted masks. */

import type { Layout } from './tiles'

/** Places of one map, half-open. */
export interface Rectangle {
  top: number
  bottom: number
  left: number
  right: number
}

/** The unit at an index: `hidden1[3, 4, 5]`. */
export function unit(block: string, index: readonly number[]): string {
  return `${block}[${index.join(', ')}]`
}

/** A unit's index in a tensor, from the map and the place in it, as `layoutOf` lays the tensor out. */
export function indexOf(shape: readonly number[], layout: Layout, place: { map: number; row: number; column: number }): number[] | null {
  if (shape.length >= 3) return [place.map, place.row, place.column]
  if (shape.length === 2) return [place.row, place.column]
  const flat = place.row * layout.width + place.column
  return flat < shape.reduce((product, size) => product * size, 1) ? [flat] : null
}

/** A rectangle of one map or of all: `hidden1[:, 4:10, 4:10]`. */
export function region(block: string, shape: readonly number[], map: number | null, { top, bottom, left, right }: Rectangle, layout: Layout): string {
  if (shape.length >= 3) return `${block}[${map ?? ':'}, ${top}:${bottom}, ${left}:${right}]`
  if (shape.length === 2) return `${block}[${top}:${bottom}, ${left}:${right}]`
  const count = shape.reduce((product, size) => product * size, 1)
  const first = top * layout.width + left
  return `${block}[${first}:${Math.min(count, (bottom - 1) * layout.width + right)}]`
}

/** The rectangle between two places, both in it. */
export function rectangle(a: { row: number; column: number }, b: { row: number; column: number }): Rectangle {
  return {
    top: Math.min(a.row, b.row),
    bottom: Math.max(a.row, b.row) + 1,
    left: Math.min(a.column, b.column),
    right: Math.max(a.column, b.column) + 1,
  }
}

/** Marked places, as the server reads them: bits in order, the first one the highest of its byte, in base 64. */
export function packed(marks: ArrayLike<boolean | number>): string {
  const bytes = new Uint8Array(Math.ceil(marks.length / 8))
  for (let n = 0; n < marks.length; n += 1) if (marks[n]) bytes[n >> 3]! |= 0x80 >> (n & 7)
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}
