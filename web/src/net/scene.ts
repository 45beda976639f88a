/** A laid-out graph, indexed by place: what is in a rectangle, what is under the pointer. */

import type { Rect } from './camera'
import type { Card } from './cards'
import type { Graph, Visible } from './graph'
import type { LayoutAnswer } from './layout/types'

const CELL = 480

/** Numbers of things by the cells of a grid that their rectangles touch. */
class Grid {
  private readonly cells = new Map<number, number[]>()
  private readonly seen: Uint32Array
  private query = 0

  constructor(private readonly boxes: Float32Array) {
    this.seen = new Uint32Array(boxes.length / 4)
    for (let n = 0; n < boxes.length / 4; n++) {
      this.each(boxes[4 * n]!, boxes[4 * n + 1]!, boxes[4 * n + 2]!, boxes[4 * n + 3]!, (cell) => {
        const list = this.cells.get(cell)
        if (list) list.push(n)
        else this.cells.set(cell, [n])
      })
    }
  }

  /** Numbers of what overlaps a rectangle, in ascending order. */
  find({ x, y, width, height }: Rect): number[] {
    const found: number[] = []
    const { boxes, seen } = this
    this.query += 1
    const many = (width / CELL) * (height / CELL) > this.cells.size
    const visit = (list: number[]) => {
      for (const n of list) {
        if (seen[n] === this.query) continue
        seen[n] = this.query
        const at = 4 * n
        if (boxes[at]! < x + width && boxes[at]! + boxes[at + 2]! > x && boxes[at + 1]! < y + height && boxes[at + 1]! + boxes[at + 3]! > y) found.push(n)
      }
    }
    if (many) for (const list of this.cells.values()) visit(list)
    else
      this.each(x, y, width, height, (cell) => {
        const list = this.cells.get(cell)
        if (list) visit(list)
      })
    return found.sort((a, b) => a - b)
  }

  private each(x: number, y: number, width: number, height: number, act: (cell: number) => void): void {
    for (let row = Math.floor(y / CELL); row <= Math.floor((y + height) / CELL); row++) {
      for (let column = Math.floor(x / CELL); column <= Math.floor((x + width) / CELL); column++) act(row * 65536 + column)
    }
  }
}

export class Scene {
  readonly bounds: Rect
  private readonly nodeGrid: Grid
  private readonly linkGrid: Grid
  private readonly linkBoxes: Float32Array
  /** Links at each node. */
  readonly linksAt: number[][]
  /** Where the delay of each link is written: x and y; NaN for links without. */
  readonly plates: Float32Array

  constructor(
    readonly graph: Graph,
    readonly shown: Visible,
    readonly cards: Card[],
    readonly layout: LayoutAnswer,
  ) {
    const nodes = new Float32Array(4 * cards.length)
    cards.forEach((card, n) => nodes.set([layout.x[n]!, layout.y[n]!, card.width, card.height], 4 * n))
    this.linkBoxes = new Float32Array(4 * layout.paths.length)
    layout.paths.forEach((path, n) => this.linkBoxes.set(boxOf(path), 4 * n))
    this.nodeGrid = new Grid(nodes)
    this.linkGrid = new Grid(this.linkBoxes)
    this.bounds = bounds(nodes, this.linkBoxes, layout.frames)
    this.plates = plates(shown, layout)
    this.linksAt = cards.map(() => [])
    shown.links.forEach((link, n) => {
      this.linksAt[link.source]!.push(n)
      if (link.target !== link.source) this.linksAt[link.target]!.push(n)
    })
  }

  nodesIn(rect: Rect): number[] {
    return this.nodeGrid.find(rect)
  }

  linksIn(rect: Rect): number[] {
    return this.linkGrid.find(rect)
  }

  framesIn(rect: Rect): number[] {
    const { frames } = this.layout
    const found: number[] = []
    for (let n = 0; n < frames.length / 4; n++) {
      const [x, y, width, height] = [frames[4 * n]!, frames[4 * n + 1]!, frames[4 * n + 2]!, frames[4 * n + 3]!]
      if (x < rect.x + rect.width && x + width > rect.x && y < rect.y + rect.height && y + height > rect.y) found.push(n)
    }
    return found
  }

  rect(node: number): Rect {
    return { x: this.layout.x[node]!, y: this.layout.y[node]!, width: this.cards[node]!.width, height: this.cards[node]!.height }
  }

  frame(number: number): Rect {
    const [x, y, width, height] = this.layout.frames.subarray(4 * number, 4 * number + 4) as unknown as [number, number, number, number]
    return { x, y, width, height }
  }

  nodeAt(x: number, y: number): number | null {
    return this.nodeGrid.find({ x, y, width: 1e-3, height: 1e-3 }).at(-1) ?? null
  }

  /** The innermost frame whose head is at a point. */
  frameHeadAt(x: number, y: number, head: number): number | null {
    let found: number | null = null
    for (const n of this.framesIn({ x, y, width: 1e-3, height: 1e-3 })) if (y - this.frame(n).y < head) found = n
    return found
  }

  linkAt(x: number, y: number, reach: number): number | null {
    let best: number | null = null
    let least = reach
    for (const n of this.linksIn({ x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach })) {
      const distance = distanceTo(this.layout.paths[n]!, this.layout.routed, x, y)
      if (distance < least) [least, best] = [distance, n]
    }
    return best
  }

  /** The shown node that stands for a block, an input or a module. */
  nodeOf(path: string): number | null {
    const leaf = this.graph.byPath.get(path)
    if (leaf !== undefined) return this.shown.nodeOf[leaf]!
    const module = this.graph.modules.get(path)
    if (!module) return null
    const index = this.shown.nodes.findIndex((node) => node.id === path)
    return index < 0 ? null : index
  }

  /** The nearest node in a direction, by distance with sideways steps counted double. */
  beside(node: number, dx: number, dy: number): number | null {
    const from = middle(this.rect(node))
    let best: number | null = null
    let least = Infinity
    for (let n = 0; n < this.cards.length; n++) {
      const to = middle(this.rect(n))
      const ahead = (to[0] - from[0]) * dx + (to[1] - from[1]) * dy
      const aside = Math.abs((to[0] - from[0]) * dy) + Math.abs((to[1] - from[1]) * dx)
      if (n === node || ahead <= 1 || aside > 2.5 * ahead) continue
      if (ahead + 2 * aside < least) [least, best] = [ahead + 2 * aside, n]
    }
    return best
  }
}

const middle = (rect: Rect): [number, number] => [rect.x + rect.width / 2, rect.y + rect.height / 2]

function boxOf(path: Float32Array): number[] {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let n = 0; n < path.length; n += 2) {
    left = Math.min(left, path[n]!)
    right = Math.max(right, path[n]!)
    top = Math.min(top, path[n + 1]!)
    bottom = Math.max(bottom, path[n + 1]!)
  }
  return path.length ? [left - 1, top - 1, right - left + 2, bottom - top + 2] : [0, 0, 0, 0]
}

function bounds(...lists: Float32Array[]): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const boxes of lists) {
    for (let n = 0; n < boxes.length; n += 4) {
      if (!boxes[n + 2]) continue
      left = Math.min(left, boxes[n]!)
      top = Math.min(top, boxes[n + 1]!)
      right = Math.max(right, boxes[n]! + boxes[n + 2]!)
      bottom = Math.max(bottom, boxes[n + 1]! + boxes[n + 3]!)
    }
  }
  return right < left ? { x: 0, y: 0, width: 1, height: 1 } : { x: left, y: top, width: right - left, height: bottom - top }
}

/** Whether a path is one curve with two control points. */
export function isCurve(path: Float32Array, routed: boolean): boolean {
  return !routed && path.length === 8
}

/** A point of a curve with two control points. */
export function curvePoint(path: Float32Array, t: number): [number, number] {
  const s = 1 - t
  const weights = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t]
  return [
    weights.reduce((sum, w, n) => sum + w * path[2 * n]!, 0),
    weights.reduce((sum, w, n) => sum + w * path[2 * n + 1]!, 0),
  ]
}

function distanceTo(path: Float32Array, routed: boolean, x: number, y: number): number {
  if (path.length < 4) return Infinity
  let least = Infinity
  let before: [number, number] = [path[0]!, path[1]!]
  const bends = isCurve(path, routed)
  const steps = bends ? 16 : path.length / 2 - 1
  for (let n = 1; n <= steps; n++) {
    const point: [number, number] = bends ? curvePoint(path, n / steps) : [path[2 * n]!, path[2 * n + 1]!]
    least = Math.min(least, toSegment(before, point, x, y))
    before = point
  }
  return least
}

function toSegment([x1, y1]: [number, number], [x2, y2]: [number, number], x: number, y: number): number {
  const length = (x2 - x1) ** 2 + (y2 - y1) ** 2
  const t = length ? Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length)) : 0
  return Math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1))
}

const PLATE = 17
/** So many links lie too close for their delays to be kept apart. */
const CROWDED = 3000
const PLACES = [0.5, 0.38, 0.62, 0.28, 0.72, 0.18, 0.82]

/** A place on each delayed link for its delay, beside those of others where there is room. */
function plates({ links }: Visible, { paths, routed }: LayoutAnswer): Float32Array {
  const found = new Float32Array(2 * links.length).fill(NaN)
  const taken = new Set<string>()
  const cell = (x: number, y: number) => [Math.round(x / PLATE), Math.round(y / PLATE)] as const
  const places = links.length > CROWDED ? PLACES.slice(0, 1) : PLACES
  // short ones first, as they have the least choice
  const order = links.map((_, n) => n).filter((n) => links[n]!.delay && paths[n]!.length >= 4)
  const long = new Map(links.length > CROWDED ? [] : order.map((n) => [n, longest(paths[n]!)[1]]))
  if (long.size) order.sort((a, b) => long.get(a)! - long.get(b)!)
  for (const n of order) {
    const path = paths[n]!
    const points = places.map((t) => pointOf(path, routed, t))
    const free = points.find(([x, y]) => {
      const [column, row] = cell(x, y)
      return ![-1, 0, 1].some((dx) => [-1, 0, 1].some((dy) => taken.has(`${column + dx} ${row + dy}`)))
    })
    const [x, y] = free ?? points[0]!
    taken.add(cell(x, y).join(' '))
    found.set([x, y], 2 * n)
  }
  return found
}

/** A point of a curve, or of the longest straight piece of lines. */
function pointOf(path: Float32Array, routed: boolean, t: number): [number, number] {
  if (isCurve(path, routed)) return curvePoint(path, t)
  const [at] = longest(path)
  return [path[at]! + (path[at + 2]! - path[at]!) * t, path[at + 1]! + (path[at + 3]! - path[at + 1]!) * t]
}

/** Where the longest straight piece begins, and how long it is. */
function longest(path: Float32Array): [number, number] {
  let [at, most] = [0, -1]
  for (let n = 0; n < path.length - 2; n += 2) {
    const length = Math.hypot(path[n + 2]! - path[n]!, path[n + 3]! - path[n + 1]!)
    if (length > most) [most, at] = [length, n]
  }
  return [at, most]
}
