/** What a layout is asked for, and what it answers. Plain data, so that it passes to a worker and back. */

export type Direction = 'right' | 'down'

export interface LayoutRequest {
  direction: Direction
  /** Width of the view by its height. */
  aspect: number
  widths: Float32Array
  heights: Float32Array
  /** The frame each node lies in, by its number in `frameParents`; -1 for none. */
  frameOf: Int32Array
  /** The frame each frame lies in; outer frames come first. */
  frameParents: Int32Array
  sources: Int32Array
  targets: Int32Array
}

export interface LayoutAnswer {
  /** Upper left corners of the nodes. */
  x: Float32Array
  y: Float32Array
  /** x, y, width, height of each frame. */
  frames: Float32Array
  /** Points of each link, as x, y, x, y ... */
  paths: Float32Array[]
  /** Whether all paths are straight lines with round corners; otherwise those of four points are curves. */
  routed: boolean
  width: number
  height: number
  engine: 'elk' | 'layered'
  /** Milliseconds that it took. */
  took: number
}

export const FRAME_HEAD = 24
export const FRAME_PAD = 14
export const LAYER_GAP = 38
export const NODE_GAP = 16
/** Between two rows of a folded layout; links from one to the other run there. */
export const ROW_GAP = 52
