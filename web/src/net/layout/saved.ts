/** Layouts that the browser remembers between visits: what was laid out before is there at once. */

import type { LayoutAnswer, LayoutRequest } from './types'

const KEY = 'rillnet.layouts'
const MOST = 8
/** Numbers of a layout above which it is not kept. */
const LARGEST = 20_000

interface Saved {
  key: string
  x: number[]
  y: number[]
  frames: number[]
  paths: number[][]
  routed: boolean
  width: number
  height: number
  engine: LayoutAnswer['engine']
}

/** The layout of an equal request, if it is remembered. */
export function savedLayout(request: LayoutRequest): LayoutAnswer | null {
  const key = keyOf(request)
  const found = read().find((one) => one.key === key)
  if (!found || found.x.length !== request.widths.length || found.paths.length !== request.sources.length) return null
  const { x, y, frames, paths, routed, width, height, engine } = found
  return {
    x: Float32Array.from(x),
    y: Float32Array.from(y),
    frames: Float32Array.from(frames),
    paths: paths.map((path) => Float32Array.from(path)),
    routed,
    width,
    height,
    engine,
    took: 0,
  }
}

/** Remembers a layout, and forgets the one that was asked for longest ago. */
export function saveLayout(request: LayoutRequest, { x, y, frames, paths, routed, width, height, engine }: LayoutAnswer): void {
  if (2 * x.length + frames.length + paths.reduce((sum, path) => sum + path.length, 0) > LARGEST) return
  const key = keyOf(request)
  const made: Saved = { key, x: rounded(x), y: rounded(y), frames: rounded(frames), paths: paths.map(rounded), routed, width, height, engine }
  try {
    localStorage.setItem(KEY, JSON.stringify([made, ...read().filter((one) => one.key !== key)].slice(0, MOST)))
  } catch {
    // a browser that keeps nothing, or has no more room: it is laid out again next time
  }
}

function read(): Saved[] {
  try {
    const known: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(known) ? (known as Saved[]) : []
  } catch {
    return []
  }
}

const rounded = (numbers: Float32Array) => Array.from(numbers, (number) => Math.round(10 * number) / 10)

/** A request in few letters: FNV-1a of its content, from two beginnings. */
function keyOf(request: LayoutRequest): string {
  const { direction, aspect, widths, heights, frameOf, frameParents, sources, targets } = request
  const text = JSON.stringify([direction, aspect, [widths, heights, frameOf, frameParents, sources, targets].map((numbers) => [...numbers])])
  return `${text.length}-${hashed(text, 0x811c9dc5)}-${hashed(text, 0x5bd1e995)}`
}

function hashed(text: string, from: number): string {
  let hash = from
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193)
  return (hash >>> 0).toString(36)
}
