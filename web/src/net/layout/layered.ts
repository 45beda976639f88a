/**
 * A layered layout for large graphs: fast, frame by frame from the inside out.
 *
 * Each frame is laid out by itself and takes part in the outer layout as one large node. Layers that are too high are
 * folded into several columns, chains that are too long into several rows, so that the whole fits a screen.
 */

import { inColumns } from './columns'
import { FRAME_HEAD, FRAME_PAD, ROW_GAP, type LayoutAnswer, type LayoutRequest } from './types'

interface Level {
  /** Nodes, and frames counted on from the number of nodes. */
  items: number[]
  sources: number[]
  targets: number[]
}

export interface Boxes {
  x: Float64Array
  y: Float64Array
  width: Float64Array
  height: Float64Array
}

/** Rows of folded levels: the row of each item, and how far above the item's own top the gap before its row is. */
interface Rows {
  row: Int32Array
  gap: Float64Array
}

export function layered(request: LayoutRequest): LayoutAnswer {
  const began = performance.now()
  const isDown = request.direction === 'down'
  const count = request.widths.length + request.frameParents.length
  const boxes: Boxes = { x: new Float64Array(count), y: new Float64Array(count), width: new Float64Array(count), height: new Float64Array(count) }
  boxes.width.set(request.widths)
  boxes.height.set(request.heights)
  const flow = isDown ? turned(boxes) : boxes
  const { levels, ends } = levelsOf(request)
  const rows = arrange(request, levels, flow, isDown)
  outward(request, boxes)
  const paths = Array.from(request.sources, (source, n) => pathOf(boxes, source, request.targets[n]!, ends[n]!, rows, n, isDown))
  return answered(request, boxes, paths, began)
}

const turned = ({ x, y, width, height }: Boxes): Boxes => ({ x: y, y: x, width: height, height: width })

/** What lies in each frame, and the links between what lies in it; first what lies in none. Ends: of each link there. */
function levelsOf(request: LayoutRequest): { levels: Level[]; ends: [number, number][] } {
  const nodes = request.widths.length
  const levels: Level[] = Array.from({ length: request.frameParents.length + 1 }, () => ({ items: [], sources: [], targets: [] }))
  const placed = new Uint8Array(request.frameParents.length)
  const put = (frame: number) => {
    if (frame < 0 || placed[frame]) return
    placed[frame] = 1
    put(request.frameParents[frame]!)
    levels[request.frameParents[frame]! + 1]!.items.push(nodes + frame)
  }
  request.frameOf.forEach((frame, node) => {
    put(frame)
    levels[frame + 1]!.items.push(node)
  })
  const ends = Array.from(request.sources, (source, n): [number, number] => {
    const [one, other] = [way(request, source), way(request, request.targets[n]!)]
    let depth = 0
    while (depth < one.length - 1 && depth < other.length - 1 && one[depth] === other[depth]) depth += 1
    const level = levels[depth === 0 ? 0 : one[depth - 1]! - nodes + 1]!
    level.sources.push(one[depth]!)
    level.targets.push(other[depth]!)
    return [one[depth]!, other[depth]!]
  })
  return { levels, ends }
}

/** The frames around a node, outer ones first, and the node. */
function way(request: LayoutRequest, node: number): number[] {
  const up = [node]
  for (let frame = request.frameOf[node]!; frame >= 0; frame = request.frameParents[frame]!) up.push(request.widths.length + frame)
  return up.reverse()
}

/** Places what lies in each frame, from inner frames to outer ones, and so gives frames their sizes. */
function arrange(request: LayoutRequest, levels: Level[], flow: Boxes, isDown: boolean): Rows {
  const nodes = request.widths.length
  const rows: Rows = { row: new Int32Array(flow.x.length), gap: new Float64Array(flow.x.length) }
  const aspect = isDown ? 1 / request.aspect : request.aspect
  for (let frame = request.frameParents.length - 1; frame >= -1; frame--) {
    const { items, sources, targets } = levels[frame + 1]!
    const local = new Map(items.map((item, n) => [item, n]))
    const ends = (list: number[]) => Int32Array.from(list, (item) => local.get(item)!)
    const graph = { count: items.length, sources: ends(sources), targets: ends(targets) }
    const [width, height] = [items.map((item) => flow.width[item]!), items.map((item) => flow.height[item]!)]
    const placed = inColumns(graph, width, height, frame < 0 ? aspect : isDown ? 1 / 1.6 : 1.6)
    items.forEach((item, n) => {
      flow.x[item] = placed.left[n]!
      flow.y[item] = placed.top[n]!
      rows.row[item] = placed.row[n]!
      rows.gap[item] = placed.top[n]! - placed.rowTops[placed.row[n]!]! + ROW_GAP / 2
    })
    if (frame < 0) continue
    flow.width[nodes + frame] = placed.width + FRAME_PAD + (isDown ? FRAME_HEAD : FRAME_PAD)
    flow.height[nodes + frame] = placed.height + FRAME_PAD + (isDown ? FRAME_PAD : FRAME_HEAD)
  }
  return rows
}

/** Adds to everything the place of the frame it lies in. */
function outward(request: LayoutRequest, { x, y }: Boxes): void {
  const nodes = request.widths.length
  const move = (item: number, frame: number) => {
    if (frame < 0) return
    x[item]! += x[nodes + frame]! + FRAME_PAD
    y[item]! += y[nodes + frame]! + FRAME_HEAD
  }
  request.frameParents.forEach((parent, frame) => move(nodes + frame, parent))
  request.frameOf.forEach((frame, node) => move(node, frame))
}

function answered(request: LayoutRequest, boxes: Boxes, paths: Float32Array[], began: number): LayoutAnswer {
  const nodes = request.widths.length
  const { x, y, width, height } = boxes
  const frames = new Float32Array(4 * request.frameParents.length)
  for (let n = 0, item = nodes; item < x.length; n += 4, item++) frames.set([x[item]!, y[item]!, width[item]!, height[item]!], n)
  const whole = { width: 0, height: 0 }
  for (let item = 0; item < x.length; item++) {
    whole.width = Math.max(whole.width, x[item]! + width[item]!)
    whole.height = Math.max(whole.height, y[item]! + height[item]!)
  }
  return {
    x: Float32Array.from(x.subarray(0, nodes)),
    y: Float32Array.from(y.subarray(0, nodes)),
    frames,
    paths,
    routed: false,
    ...whole,
    engine: 'layered',
    took: performance.now() - began,
  }
}

/** A curve; between two rows, lines through the gap above the lower one. */
function pathOf(boxes: Boxes, source: number, target: number, [from, to]: [number, number], rows: Rows, number: number, isDown: boolean): Float32Array {
  if (rows.row[from] === rows.row[to]) return curve(boxes, source, target, isDown)
  const lower = rows.row[from]! > rows.row[to]! ? from : to
  const flow = isDown ? turned(boxes) : boxes
  const [x1, y1] = [flow.x[source]! + flow.width[source]!, flow.y[source]! + flow.height[source]! / 2]
  const [x2, y2] = [flow.x[target]!, flow.y[target]! + flow.height[target]! / 2]
  const beside = 3 * ((number % 5) - 2) // links beside each other
  const across = flow.y[lower]! - rows.gap[lower]! + beside
  const [out, back] = [flow.x[from]! + flow.width[from]! + 15 + beside, flow.x[to]! - 15 - beside]
  const points = [x1, y1, out, y1, out, across, back, across, back, y2, x2, y2]
  return Float32Array.from(points, (_, n) => points[isDown ? n ^ 1 : n]!)
}

/** Two ends and, between them, two control points of a curve from one node's far side to the other's near side. */
export function curve({ x, y, width, height }: Boxes, source: number, target: number, isDown: boolean): Float32Array {
  const [x1, y1] = isDown
    ? [x[source]! + width[source]! / 2, y[source]! + height[source]!]
    : [x[source]! + width[source]!, y[source]! + height[source]! / 2]
  const [x2, y2] = isDown ? [x[target]! + width[target]! / 2, y[target]!] : [x[target]!, y[target]! + height[target]! / 2]
  if (source === target) {
    return isDown
      ? Float32Array.of(x1, y1, x1 + width[source]! + 28, y1 + 28, x2 + width[source]! + 28, y2 - 28, x2, y2)
      : Float32Array.of(x1, y1, x1 + 36, y1 - height[source]! - 24, x2 - 36, y2 - height[source]! - 24, x2, y2)
  }
  const ahead = isDown ? y2 - y1 : x2 - x1
  const reach = ahead > 0 ? Math.max(16, ahead / 2) : Math.min(160, 30 - ahead / 3)
  return isDown
    ? Float32Array.of(x1, y1, x1, y1 + reach, x2, y2 - reach, x2, y2)
    : Float32Array.of(x1, y1, x1 + reach, y1, x2 - reach, y2, x2, y2)
}
