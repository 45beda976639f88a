/** Live readings of what is on screen: watches come and go with the view, their pictures are kept ready to draw. */

import type { Store } from '../session'
import type { Stop } from '../session'
import { asNumbers, type Reading } from '../wire'
import { isColour, shapeOf, type Picture } from './cards'
import type { Leaf } from './graph'
import { colour, type Scale } from './paint/scales'

/** A picture of a leaf's output, as new as its last reading. */
export interface Live {
  leaf: Leaf
  picture: Picture
  canvas: HTMLCanvasElement | null
  values: ArrayLike<number> | null
  /** The last numbers of a trace, oldest first. */
  course: number[]
  frame: number
  detail: number
  stop: Stop
  /** Since when it is off screen. */
  unseen: number | null
}

export interface Wanted {
  leaf: Leaf
  picture: Picture
  /** Longer side of the picture in pixels of the screen. */
  pixels: number
  /** Distance from the middle of the view. */
  away: number
}

const MOST = 160
const COURSE = 120
/** Milliseconds that a watch outlives its being seen, so that panning back and forth costs nothing. */
const LINGER = 1500
const DETAILS = [16, 32, 64, 128, 256]

export class LiveReadings {
  readonly byLeaf = new Map<number, Live>()
  private readonly pixels = new Map<string, ImageData>()
  private isDark = false

  constructor(
    private readonly store: Store,
    /** Told that something is to be drawn. */
    private readonly changed: () => void,
  ) {}

  /** Watches what is wanted, from the middle outwards, as far as there are watches to give; lets the rest go. */
  want(wanted: Wanted[], isDark: boolean, now = performance.now()): void {
    this.isDark = isDark
    const chosen = [...wanted].sort((a, b) => a.away - b.away).slice(0, MOST)
    const rate = chosen.length <= 48 ? 30 : chosen.length <= 96 ? 12 : 6
    const seen = new Set<number>()
    for (const { leaf, picture, pixels } of chosen) {
      seen.add(leaf.index)
      const detail = DETAILS.find((size) => size >= pixels * 0.9) ?? 256
      const known = this.byLeaf.get(leaf.index)
      if (known) known.unseen = null
      if (known && (picture !== 'map' || detail <= known.detail)) continue
      known?.stop()
      this.byLeaf.set(leaf.index, this.watched(leaf, picture, detail, rate, known))
    }
    for (const [index, live] of this.byLeaf) {
      if (seen.has(index)) continue
      live.unseen ??= now
      if (now - live.unseen < LINGER && this.byLeaf.size < 1.5 * MOST) continue
      live.stop()
      this.byLeaf.delete(index)
    }
  }

  clear(): void {
    for (const live of this.byLeaf.values()) live.stop()
    this.byLeaf.clear()
  }

  private watched(leaf: Leaf, picture: Picture, detail: number, rate: number, before?: Live): Live {
    const live: Live = {
      leaf,
      picture,
      canvas: before?.canvas ?? null,
      values: before?.values ?? null,
      course: before?.course ?? [],
      frame: before?.frame ?? -1,
      detail,
      stop: () => {},
      unseen: null,
    }
    const address = addressOf(leaf)
    const shape = shapeOf(leaf)!
    const hear = (reading: Reading) => this.read(live, reading)
    if (picture === 'map') {
      const channel = isColour(shape) ? { channel: 'rgb' } : {}
      live.stop = this.store.subscribe(address, 'thumbnail', hear, { rate, size: [detail, detail], ...channel })
    } else if (picture === 'bars') {
      live.stop = this.store.subscribe(address, 'whole', hear, { rate })
    } else {
      live.stop = this.store.subscribe(address, 'scalar', hear, { rate })
    }
    return live
  }

  private read(live: Live, reading: Reading): void {
    live.frame = reading.frame
    if (live.picture === 'map') {
      live.canvas = this.painted(live, reading)
    } else {
      live.values = asNumbers(reading)
      if (live.picture === 'trace') {
        live.course.push(Number(live.values[0]))
        if (live.course.length > COURSE) live.course.shift()
      }
    }
    this.changed()
  }

  private painted(live: Live, reading: Reading): HTMLCanvasElement {
    const [height, width] = reading.shape as [number, number]
    const canvas = live.canvas ?? document.createElement('canvas')
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height]
    const image = this.image(width, height)
    colour(reading, new Uint32Array(image.data.buffer), scaleOf(live.leaf), this.isDark)
    canvas.getContext('2d', { willReadFrequently: true })!.putImageData(image, 0, 0)
    return canvas
  }

  /** One buffer for each size: a reading is in its canvas before the next one comes. */
  private image(width: number, height: number): ImageData {
    const key = `${width}x${height}`
    let image = this.pixels.get(key)
    if (!image) this.pixels.set(key, (image = new ImageData(width, height)))
    return image
  }
}

export function addressOf(leaf: Leaf): string {
  return `net/${leaf.path}/output`
}

/** Inputs, and what only passes them on, are pictures of the world: grey. */
export function scaleOf(leaf: Leaf): Scale {
  const shape = shapeOf(leaf)
  const isPicture = shape?.length === 3 && shape[0] === 1
  return leaf.input || (isPicture && leaf.block?.type === 'Identity') ? 'grey' : 'values'
}

