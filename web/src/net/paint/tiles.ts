/**
 * The net without what moves in it, painted in squares that are kept: panning a net of 10,000 blocks copies pictures.
 *
 * Squares belong to a scale. At another one, those of before are stretched until the right ones are there, which are
 * painted a few in each frame, as long as its time lasts.
 */

import type { Camera, Rect } from '../camera'

const SIDE = 512
const MOST = 56
/** Milliseconds of a frame that may go into painting squares that are missing; of those out of date one is painted. */
const BUDGET = 7
/** Milliseconds without a change of scale before squares are painted at the new one. */
const SETTLED = 90

interface Tile {
  canvas: HTMLCanvasElement
  scale: number
  column: number
  row: number
  /** Which state of the net it shows. */
  version: number
  used: number
}

export type PaintRegion = (context: CanvasRenderingContext2D, region: Rect, scale: number) => void

export class Tiles {
  private readonly tiles = new Map<string, Tile>()
  private version = 0
  private scale = 0
  private target = 0
  private since = 0
  private count = 0

  constructor(private readonly paint: PaintRegion) {}

  /** What was painted is out of date; it is shown until it is painted anew. */
  invalidate(): void {
    this.version += 1
  }

  clear(): void {
    this.tiles.clear()
  }

  /** Draws what the camera sees. Returns whether more is to be painted in a later frame. */
  draw(context: CanvasRenderingContext2D, camera: Camera, ratio: number, now: number): boolean {
    if (camera.scale !== this.target) {
      this.target = camera.scale
      this.since = now
    }
    const isSettled = now - this.since > SETTLED || this.scale === 0
    if (isSettled) this.scale = this.target
    this.count += 1
    const began = performance.now()
    const complete = this.scale === camera.scale && this.fill(camera, ratio, began)
    this.copy(context, camera, ratio)
    this.forget()
    return !complete
  }

  /** Paints what is missing, nearest to the middle first. Returns whether all is there. */
  private fill(camera: Camera, ratio: number, began: number): boolean {
    const stale: [number, number, Tile][] = []
    let made = 0
    for (const [column, row] of this.needed(camera, ratio)) {
      const tile = this.tiles.get(`${this.scale} ${column} ${row}`)
      if (tile) {
        tile.used = this.count
        if (tile.version !== this.version) stale.push([column, row, tile])
        continue
      }
      if (made && performance.now() - began > BUDGET) return false
      this.make(column, row, ratio, undefined)
      made += 1
    }
    const [next] = stale
    if (next && !made) this.make(next[0], next[1], ratio, next[2])
    return stale.length === 0
  }

  private needed(camera: Camera, ratio: number): [number, number][] {
    const side = SIDE / ratio / camera.scale
    const found: [number, number][] = []
    const { x, y, width, height } = camera.view
    for (let row = Math.floor(y / side); row * side < y + height; row++) {
      for (let column = Math.floor(x / side); column * side < x + width; column++) found.push([column, row])
    }
    const [middleX, middleY] = [(x + width / 2) / side - 0.5, (y + height / 2) / side - 0.5]
    const apart = ([column, row]: [number, number]) => Math.hypot(column - middleX, row - middleY)
    return found.sort((a, b) => apart(a) - apart(b))
  }

  private make(column: number, row: number, ratio: number, before: Tile | undefined): void {
    const canvas = before?.canvas ?? document.createElement('canvas')
    canvas.width = SIDE
    canvas.height = SIDE
    const context = canvas.getContext('2d')!
    const side = SIDE / ratio / this.scale
    const unit = ratio * this.scale
    context.setTransform(unit, 0, 0, unit, -column * SIDE, -row * SIDE)
    this.paint(context, { x: column * side, y: row * side, width: side, height: side }, this.scale)
    const tile = { canvas, scale: this.scale, column, row, version: this.version, used: this.count }
    this.tiles.set(`${this.scale} ${column} ${row}`, tile)
  }

  private copy(context: CanvasRenderingContext2D, camera: Camera, ratio: number): void {
    context.setTransform(1, 0, 0, 1, 0, 0)
    const others: Tile[] = []
    const exact: Tile[] = []
    for (const tile of this.tiles.values()) (tile.scale === camera.scale ? exact : others).push(tile)
    const isCovered = this.needed(camera, ratio).every(([column, row]) => this.tiles.has(`${camera.scale} ${column} ${row}`))
    if (!isCovered) {
      for (const scale of nearestScales(others, camera.scale)) {
        for (const tile of others) if (tile.scale === scale) this.put(context, tile, camera, ratio)
      }
    }
    for (const tile of exact) this.put(context, tile, camera, ratio)
  }

  private put(context: CanvasRenderingContext2D, tile: Tile, camera: Camera, ratio: number): void {
    const factor = camera.scale / tile.scale
    const size = SIDE * factor
    const x = tile.column * size - camera.x * camera.scale * ratio
    const y = tile.row * size - camera.y * camera.scale * ratio
    if (x > context.canvas.width || y > context.canvas.height || x + size < 0 || y + size < 0) return
    if (factor === 1) context.drawImage(tile.canvas, Math.round(x), Math.round(y))
    else context.drawImage(tile.canvas, x, y, size, size)
  }

  private forget(): void {
    if (this.tiles.size <= MOST) return
    const oldest = [...this.tiles].sort(([, a], [, b]) => a.used - b.used)
    for (const [key] of oldest.slice(0, this.tiles.size - MOST)) this.tiles.delete(key)
  }
}

/** The scales of what there is, the two nearest ones to a wanted scale; the nearest last, to lie on top. */
function nearestScales(tiles: Tile[], wanted: number): number[] {
  const apart = (scale: number) => Math.abs(Math.log(scale / wanted))
  const scales = [...new Set(tiles.map((tile) => tile.scale))]
  return scales.sort((a, b) => apart(a) - apart(b)).slice(0, 2).reverse()
}
