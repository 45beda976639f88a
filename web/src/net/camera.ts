/** Where the view is: a point of the picture and a scale. Screen = (world - (x, y)) * scale. */

import { signal } from '@preact/signals'

export interface Rect {
  x: number
  y: number
  width: number
  height: number
}

export const LEAST_SCALE = 0.004
export const MOST_SCALE = 6
const FLIGHT = 260
/** Pixels that are left free around what is fitted: the legend lies below. */
const EDGE = { top: 20, side: 22, bottom: 50 }

export class Camera {
  x = 0
  y = 0
  scale = 1
  width = 1
  height = 1
  /** Counts changes, so that those who draw know of them. */
  readonly moved = signal(0)

  private flight: { from: [number, number, number]; to: [number, number, number]; began: number } | null = null

  resize(width: number, height: number): void {
    this.width = Math.max(1, width)
    this.height = Math.max(1, height)
    this.moved.value = this.moved.peek() + 1
  }

  set(x: number, y: number, scale: number): void {
    this.flight = null
    this.place(x, y, scale)
  }

  /** Moves the picture by so many pixels. */
  pan(dx: number, dy: number): void {
    this.set(this.x - dx / this.scale, this.y - dy / this.scale, this.scale)
  }

  /** Scales about a point of the screen, which stays where it is. */
  zoom(factor: number, atX = this.width / 2, atY = this.height / 2): void {
    const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.scale * factor))
    this.set(this.x + atX / this.scale - atX / scale, this.y + atY / this.scale - atY / scale, scale)
  }

  /** Shows a rectangle whole, no larger than `most`. */
  fit(rect: Rect, options: { most?: number; fly?: boolean } = {}): void {
    const { most = 1.4, fly = false } = options
    const { top, side, bottom } = this.height > 240 ? EDGE : { top: 8, side: 8, bottom: 8 }
    const across = Math.max(20, this.width - 2 * side) / Math.max(1, rect.width)
    const down = Math.max(20, this.height - top - bottom) / Math.max(1, rect.height)
    const scale = Math.min(most, Math.max(LEAST_SCALE, Math.min(across, down)))
    const x = rect.x + rect.width / 2 - this.width / 2 / scale
    const y = rect.y + rect.height / 2 - (top + (this.height - top - bottom) / 2) / scale
    if (fly) this.fly(x, y, scale)
    else this.set(x, y, scale)
  }

  /** Goes there in a quarter of a second; at once for readers who asked for less motion. */
  fly(x: number, y: number, scale: number): void {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.set(x, y, scale)
      return
    }
    this.flight = { from: [this.x, this.y, this.scale], to: [x, y, scale], began: performance.now() }
    this.moved.value = this.moved.peek() + 1
  }

  /** Brings a rectangle into view, left of what covers so many pixels on the right; scales only what is too small. */
  reveal(rect: Rect, covered = 0): void {
    const scale = Math.min(Math.max(this.scale, 0.75), 1.5)
    const middle = Math.max(60, this.width - covered) / 2
    this.fly(rect.x + rect.width / 2 - middle / scale, rect.y + rect.height / 2 - this.height / 2 / scale, scale)
  }

  /** Goes on with a flight. Returns whether there is one. */
  advance(now: number): boolean {
    if (!this.flight) return false
    const { from, to, began } = this.flight
    const t = Math.min(1, (now - began) / FLIGHT)
    const eased = 1 - (1 - t) ** 3
    const scale = from[2] * (to[2] / from[2]) ** eased
    const middle = (n: 0 | 1, size: number) => {
      const [one, other] = [from[n] + size / 2 / from[2], to[n] + size / 2 / to[2]]
      const share = Math.abs(to[2] - from[2]) < 1e-9 ? eased : (1 / from[2] - 1 / scale) / (1 / from[2] - 1 / to[2])
      return one + (other - one) * share - size / 2 / scale
    }
    const next: [number, number, number] = [middle(0, this.width), middle(1, this.height), scale]
    if (t >= 1) this.flight = null
    this.place(...next)
    return t < 1
  }

  toWorld(x: number, y: number): [number, number] {
    return [this.x + x / this.scale, this.y + y / this.scale]
  }

  toScreen(x: number, y: number): [number, number] {
    return [(x - this.x) * this.scale, (y - this.y) * this.scale]
  }

  get view(): Rect {
    return { x: this.x, y: this.y, width: this.width / this.scale, height: this.height / this.scale }
  }

  private place(x: number, y: number, scale: number): void {
    this.x = x
    this.y = y
    this.scale = scale
    this.moved.value = this.moved.peek() + 1
  }
}

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}
