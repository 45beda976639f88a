/** Bytes as colours: one scale for values of one sign, one for values around zero, grey for pictures. */

import type { Reading } from '../../wire'

export type Stop = [at: number, red: number, green: number, blue: number]

/** Dark for nothing, bright for much; after viridis and mako, which keep their order in grey. */
export const ONE_SIGN: Stop[] = [
  [0, 11, 16, 33],
  [0.25, 34, 51, 104],
  [0.5, 33, 107, 134],
  [0.75, 63, 174, 148],
  [1, 235, 247, 200],
]
/** Blue below zero, orange above. */
export const AROUND_LIGHT: Stop[] = [
  [0, 24, 70, 148],
  [0.25, 92, 151, 214],
  [0.5, 244, 245, 246],
  [0.75, 232, 148, 76],
  [1, 150, 56, 8],
]
export const AROUND_DARK: Stop[] = [
  [0, 150, 205, 255],
  [0.25, 46, 110, 190],
  [0.5, 17, 21, 26],
  [0.75, 186, 92, 30],
  [1, 255, 205, 140],
]

function table(stops: Stop[]): Uint32Array {
  const entries = new Uint32Array(256)
  for (let n = 0; n < 256; n++) {
    const at = n / 255
    let k = 1
    while (stops[k]![0] < at) k += 1
    const [a, b] = [stops[k - 1]!, stops[k]!]
    const t = (at - a[0]) / (b[0] - a[0])
    const mixed = ([1, 2, 3] as const).map((c) => Math.round(a[c] + (b[c] - a[c]) * t))
    entries[n] = pixel(mixed[0]!, mixed[1]!, mixed[2]!)
  }
  return entries
}

const pixel = (red: number, green: number, blue: number) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0

const oneSign = table(ONE_SIGN)
const around = { light: table(AROUND_LIGHT), dark: table(AROUND_DARK) }
const grey = Uint32Array.from({ length: 256 }, (_, n) => pixel(n, n, n))

export type Scale = 'grey' | 'values'

/**
 * Fills pixels with a thumbnail.
 *
 * Values of both signs are coloured around zero, with the larger extreme at the end of the scale.
 */
export function colour(reading: Reading, pixels: Uint32Array, scale: Scale, isDark: boolean): void {
  const data = reading.data
  if (reading.shape.length === 3) {
    for (let n = 0, k = 0; n < pixels.length; n++, k += 3) pixels[n] = pixel(data[k]!, data[k + 1]!, data[k + 2]!)
    return
  }
  const { low, high } = reading
  if (scale === 'grey' && low === high) {
    pixels.fill(grey[low > 0 ? 255 : 0]!) // no range tells how bright it is: nothing is black, all else white
    return
  }
  if (scale === 'grey') {
    for (let n = 0; n < pixels.length; n++) pixels[n] = grey[data[n]!]!
    return
  }
  if (!(low < 0)) {
    const entries = oneSign
    // a ramp from the least value would make noise of what hardly differs from it: zero is its beginning, where near
    const from = low > 0 && (low < 0.5 * high || low === high) ? low / high : 0
    for (let n = 0; n < pixels.length; n++) pixels[n] = entries[from ? Math.round(255 * from + data[n]! * (1 - from)) : data[n]!]!
    return
  }
  const entries = isDark ? around.dark : around.light
  const most = Math.max(-low, high, 1e-30)
  const step = (high - low) / 255 / most
  const start = low / most
  for (let n = 0; n < pixels.length; n++) pixels[n] = entries[Math.round(((start + data[n]! * step) / 2 + 0.5) * 255)]!
}
