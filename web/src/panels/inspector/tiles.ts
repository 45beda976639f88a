/** Tensors as pictures: maps or filters side by side, in the colours that the net's thumbnails have. */

import { AROUND_DARK, AROUND_LIGHT, ONE_SIGN, type Stop } from '../../net/paint/scales'

export interface Layout {
  /** How many maps there are. */
  count: number
  /** Sides of one map. */
  width: number
  height: number
  columns: number
  rows: number
}

/** Pixels between maps, in units of their own pixels. */
export const GAP = 1

/**
 * How a tensor is laid out as maps.
 *
 * `[N]` is one near-square map, `[H, W]` one, `[C, H, W]` C of them, `[O, I, H, W]` O times I of them in O rows, or O of
 * them where the input is `mean`ed away or one is chosen.
 */
export function layoutOf(shape: readonly number[], input: number | 'mean' | 'all' = 'mean'): Layout {
  const sizes = shape.filter((size, n) => size !== 1 || n >= shape.length - 2)
  if (shape.length >= 4) {
    const [out, into] = [shape[0]!, shape[1]!]
    const width = shape.at(-1)!
    const height = shape.at(-2)!
    if (input === 'all' && into > 1) return { count: out * into, width, height, columns: into, rows: out }
    return near(out, width, height)
  }
  if (sizes.length >= 3) return near(sizes[0]!, sizes.at(-1)!, sizes.at(-2)!)
  if (shape.length === 2) return { count: 1, width: shape[1]!, height: shape[0]!, columns: 1, rows: 1 }
  const count = shape.reduce((product, size) => product * size, 1)
  const width = nearSquare(count)
  return { count: 1, width, height: Math.ceil(count / width), columns: 1, rows: 1 }
}

/** The width of a near-square of so many numbers: a divisor, if one is at all near. */
export function nearSquare(count: number): number {
  const root = Math.ceil(Math.sqrt(count))
  for (let width = root; width <= root * 2; width += 1) if (count % width === 0) return width
  return root
}

function near(count: number, width: number, height: number): Layout {
  const square = Math.sqrt((count * (height + GAP)) / (width + GAP))
  let columns = Math.max(1, Math.min(count, Math.round(square)))
  for (let more = columns; more <= Math.min(count, Math.ceil(square * 1.6)); more += 1) {
    if (count % more === 0) {
      columns = more // no empty places in the last row
      break
    }
  }
  return { count, width, height, columns, rows: Math.ceil(count / columns) }
}

/** Pixels of the whole picture. */
export function pixelSize({ width, height, columns, rows }: Layout): [number, number] {
  return [columns * (width + GAP) - GAP, rows * (height + GAP) - GAP]
}

/** The map and the place in it below a pixel of the picture; null on a gap or beyond. */
export function placeAt(layout: Layout, x: number, y: number): { map: number; row: number; column: number } | null {
  const across = layout.width + GAP
  const down = layout.height + GAP
  const column = Math.floor(x) % across
  const row = Math.floor(y) % down
  if (x < 0 || y < 0 || column >= layout.width || row >= layout.height) return null
  const tileColumn = Math.floor(x / across)
  if (tileColumn >= layout.columns) return null
  const map = Math.floor(y / down) * layout.columns + tileColumn
  return map < layout.count ? { map, row, column } : null
}

export type Palette = (share: number) => [number, number, number]

/** For values of one sign: every step is lighter than the one before. */
export const sequential: Palette = (share) => between(ONE_SIGN, share)
/** For values around zero, on a light page and on a dark one. */
export const aroundLight: Palette = (share) => between(AROUND_LIGHT, share)
export const aroundDark: Palette = (share) => between(AROUND_DARK, share)
export const grey: Palette = (share) => {
  const level = Math.round(share * 255)
  return [level, level, level]
}

function between(stops: readonly Stop[], share: number): [number, number, number] {
  const place = Math.min(1, Math.max(0, share))
  let above = 1
  while (stops[above]![0] < place) above += 1
  const [low, high] = [stops[above - 1]!, stops[above]!]
  const rest = (place - low[0]) / (high[0] - low[0])
  return ([1, 2, 3] as const).map((n) => Math.round(low[n] * (1 - rest) + high[n] * rest)) as [number, number, number]
}

/** A palette as 256 colours. */
export function table(palette: Palette): Uint8ClampedArray {
  const colours = new Uint8ClampedArray(256 * 4)
  for (let n = 0; n < 256; n += 1) colours.set([...palette(n / 255), 255], 4 * n)
  return colours
}

/** The smallest and the greatest finite number; symmetric about 0 for diverging palettes. A constant is told from 0, and what begins near 0 from there. */
export function bounds(values: ArrayLike<number>, isSymmetric: boolean): [number, number] {
  let low = Infinity
  let high = -Infinity
  for (let n = 0; n < values.length; n += 1) {
    const value = values[n]!
    if (value < low && value !== -Infinity) low = value
    if (value > high && value !== Infinity) high = value
  }
  if (low > high) return [0, 1]
  if (isSymmetric) {
    const size = Math.max(Math.abs(low), Math.abs(high)) || 1
    return [-size, size]
  }
  if (low === high) return low === 0 ? [0, 1] : [Math.min(0, low), Math.max(0, high)]
  return low > 0 && low < 0.5 * high ? [0, high] : [low, high]
}

/** Weights with their inputs averaged away, or those of one input. */
export function ofInput(values: ArrayLike<number>, shape: readonly number[], input: number | 'mean' | 'all'): ArrayLike<number> {
  if (shape.length < 4 || input === 'all') return values
  const [out, into] = [shape[0]!, shape[1]!]
  const size = shape.slice(2).reduce((product, one) => product * one, 1)
  const result = new Float32Array(out * size)
  for (let o = 0; o < out; o += 1) {
    for (let at = 0; at < size; at += 1) {
      if (input !== 'mean') {
        result[o * size + at] = values[(o * into + input) * size + at]!
        continue
      }
      let sum = 0
      for (let i = 0; i < into; i += 1) sum += values[(o * into + i) * size + at]!
      result[o * size + at] = sum / into
    }
  }
  return result
}

/** Paints maps into pixels, RGBA. Gaps and places without a number stay transparent; NaN is magenta. */
export function paint(pixels: Uint8ClampedArray, values: ArrayLike<number>, layout: Layout, colours: Uint8ClampedArray, [low, high]: [number, number]): void {
  pixels.fill(0)
  const [total] = pixelSize(layout)
  const size = layout.width * layout.height
  const scale = 255 / (high - low || 1)
  for (let map = 0; map < layout.count; map += 1) {
    const left = (map % layout.columns) * (layout.width + GAP)
    const top = Math.floor(map / layout.columns) * (layout.height + GAP)
    for (let at = 0; at < size; at += 1) {
      const value = values[map * size + at]
      if (value === undefined) continue
      const pixel = 4 * ((top + Math.floor(at / layout.width)) * total + left + (at % layout.width))
      if (Number.isNaN(value)) {
        pixels.set([255, 0, 255, 255], pixel)
        continue
      }
      const level = 4 * Math.min(255, Math.max(0, Math.round((value - low) * scale)))
      pixels[pixel] = colours[level]!
      pixels[pixel + 1] = colours[level + 1]!
      pixels[pixel + 2] = colours[level + 2]!
      pixels[pixel + 3] = 255
    }
  }
}
