/** Places the nodes of one frame in columns, as near to their neighbours as there is room. */

import { adjacency, layersOf, ordered, spaced, type Digraph } from './ranks'
import { LAYER_GAP, NODE_GAP, ROW_GAP } from './types'

export interface Placed {
  left: Float64Array
  top: Float64Array
  /** The row that each node lies in, where a long whole is folded into rows. */
  row: Int32Array
  /** The top of each row. */
  rowTops: number[]
  width: number
  height: number
}

/** Places nodes so that links lead to the right; `aspect` is the wanted width by height of the whole. */
export function inColumns(graph: Digraph, width: number[], height: number[], aspect: number): Placed {
  const sweeps = graph.count > 4000 ? 4 : graph.count > 1000 ? 8 : 16
  const columns = folded(ordered(graph, layersOf(graph), sweeps), width, height, aspect)
  const top = aligned(graph, columns, height)
  const placed: Placed = { ...rowed(columns, width, height, top, aspect), top, width: 0, height: 0 }
  const { left } = placed
  for (let node = 0; node < graph.count; node++) {
    placed.width = Math.max(placed.width, left[node]! + width[node]!)
    placed.height = Math.max(placed.height, placed.top[node]! + height[node]!)
  }
  return placed
}

const stacked = (nodes: number[], height: number[]) => nodes.reduce((sum, node) => sum + height[node]! + NODE_GAP, -NODE_GAP)

/** Layers as columns; one that is far higher than the whole should be is cut into several. */
function folded(rows: number[][], width: number[], height: number[], aspect: number): number[][] {
  const filled = rows.filter((row) => row.length)
  const area = filled.reduce((sum, row) => sum + (widest(row, width) + LAYER_GAP) * stacked(row, height), 0)
  const most = Math.max(900, 1.25 * Math.sqrt(area / aspect))
  return filled.flatMap((row) => {
    const each = stacked(row, height) / Math.ceil(stacked(row, height) / most)
    const columns: number[][] = [[]]
    let high = 0
    for (const node of row) {
      if (columns.at(-1)!.length && high + height[node]! / 2 > each) {
        columns.push([])
        high = 0
      }
      columns.at(-1)!.push(node)
      high += height[node]! + NODE_GAP
    }
    return columns
  })
}

function widest(nodes: number[], width: number[]): number {
  return nodes.reduce((most, node) => Math.max(most, width[node]!), 0)
}

/** The tops of nodes: each as near to the middle of its neighbours as those beside it allow. */
function aligned(graph: Digraph, columns: number[][], height: number[]): Float64Array {
  const middles = new Float64Array(graph.count)
  for (const column of columns) {
    let at = -stacked(column, height) / 2
    for (const node of column) {
      middles[node] = at + height[node]! / 2
      at += height[node]! + NODE_GAP
    }
  }
  const into = adjacency(graph.count, graph.targets, graph.sources)
  const out = adjacency(graph.count, graph.sources, graph.targets)
  const apart = columns.map((column) => column.slice(1).map((node, n) => (height[column[n]!]! + height[node]!) / 2 + NODE_GAP))
  for (let pass = 0; pass < 8; pass++) {
    const sides = pass < 6 ? [pass % 2 ? out : into] : [into, out]
    for (let k = 0; k < columns.length; k++) {
      const n = pass % 2 ? columns.length - 1 - k : k
      const wanted = columns[n]!.map((node) => neighbours(node, middles, sides))
      spaced(wanted, apart[n]!).forEach((middle, place) => (middles[columns[n]![place]!] = middle))
    }
  }
  return middles.map((middle, node) => middle - height[node]! / 2)
}

function neighbours(node: number, middles: Float64Array, sides: ReturnType<typeof adjacency>[]): number {
  let sum = 0
  let count = 0
  for (const { starts, others } of sides) {
    for (let n = starts[node]!; n < starts[node + 1]!; n++) {
      if (others[n] === node) continue
      sum += middles[others[n]!]!
      count += 1
    }
  }
  return count ? sum / count : middles[node]!
}

/** Left edges; a whole that is far longer than it should be goes on in further rows. Tops are moved to begin at 0. */
function rowed(columns: number[][], width: number[], height: number[], top: Float64Array, aspect: number): Pick<Placed, 'left' | 'row' | 'rowTops'> {
  const left = new Float64Array(width.length)
  const row = new Int32Array(width.length)
  const rowTops: number[] = []
  const across = columns.map((column) => widest(column, width))
  const highest = columns.map((column) => column.reduce((least, node) => Math.min(least, top[node]!), Infinity))
  const lowest = columns.map((column) => column.reduce((most, node) => Math.max(most, top[node]! + height[node]!), -Infinity))
  const min = (values: number[]) => values.reduce((a, b) => Math.min(a, b), Infinity)
  const max = (values: number[]) => values.reduce((a, b) => Math.max(a, b), -Infinity)
  const long = across.reduce((sum, each) => sum + each + LAYER_GAP, 0)
  const high = max(lowest) - min(highest) + ROW_GAP
  const rows = long / high > 3.2 * aspect ? Math.max(1, Math.round(Math.sqrt(long / high / aspect))) : 1
  let [x, start, base] = [0, 0, 0]
  const settle = (end: number) => {
    const lift = base - min(highest.slice(start, end))
    for (const node of columns.slice(start, end).flat()) {
      top[node]! += lift
      row[node] = rowTops.length
    }
    rowTops.push(base)
    base += max(lowest.slice(start, end)) - min(highest.slice(start, end)) + ROW_GAP
    x = 0
    start = end
  }
  columns.forEach((column, n) => {
    if (n > start && x + across[n]! / 2 > long / rows) settle(n)
    for (const node of column) left[node] = x + (across[n]! - width[node]!) / 2
    x += across[n]! + LAYER_GAP
  })
  settle(columns.length)
  return { left, row, rowTops }
}
