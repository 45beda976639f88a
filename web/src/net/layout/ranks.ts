/** Layers by longest path, and an order in each by barycentres (Sugiyama, Tagawa, Toda 1981), for large graphs. */

export interface Digraph {
  count: number
  sources: Int32Array
  targets: Int32Array
}

export interface Adjacency {
  starts: Int32Array
  others: Int32Array
}

/** The other ends of the links at each node, one after the other. */
export function adjacency(count: number, from: Int32Array, to: Int32Array): Adjacency {
  const starts = new Int32Array(count + 1)
  for (const node of from) starts[node + 1]! += 1
  for (let n = 0; n < count; n++) starts[n + 1]! += starts[n]!
  const next = starts.slice(0, count)
  const others = new Int32Array(from.length)
  for (let n = 0; n < from.length; n++) others[next[from[n]!]!++] = to[n]!
  return { starts, others }
}

/**
 * Layers such that links lead to later ones.
 *
 * Nodes are given in the order in which a frame computes them; a link to an earlier node closes a cycle and is turned.
 */
export function layersOf({ count, sources, targets }: Digraph): Int32Array {
  const upper = sources.map((source, n) => Math.min(source, targets[n]!))
  const lower = sources.map((source, n) => Math.max(source, targets[n]!))
  const into = adjacency(count, lower, upper)
  const out = adjacency(count, upper, lower)
  const layer = new Int32Array(count)
  for (let node = 0; node < count; node++) {
    for (let n = into.starts[node]!; n < into.starts[node + 1]!; n++) {
      const source = into.others[n]!
      if (source !== node) layer[node] = Math.max(layer[node]!, layer[source]! + 1)
    }
  }
  for (let node = count - 1; node >= 0; node--) {
    const outs = out.starts[node + 1]! - out.starts[node]!
    if (outs <= into.starts[node + 1]! - into.starts[node]!) continue
    let least = Infinity
    for (let n = out.starts[node]!; n < out.starts[node + 1]!; n++) {
      const target = out.others[n]!
      if (target !== node) least = Math.min(least, layer[target]!)
    }
    if (least < Infinity) layer[node] = least - 1
  }
  return layer
}

/** Nodes of each layer in order, with few crossings. */
export function ordered(graph: Digraph, layer: Int32Array, sweeps: number): number[][] {
  const rows: number[][] = Array.from({ length: layer.reduce((most, at) => Math.max(most, at), -1) + 1 }, () => [])
  for (let node = 0; node < graph.count; node++) rows[layer[node]!]!.push(node)
  const out = adjacency(graph.count, graph.sources, graph.targets)
  const into = adjacency(graph.count, graph.targets, graph.sources)
  const place = new Float64Array(graph.count)
  const settle = (row: number[]) => row.forEach((node, n) => (place[node] = (n + 0.5) / row.length))
  rows.forEach(settle)
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const isForward = sweep % 2 === 0
    for (let n = 0; n < rows.length; n++) {
      const row = rows[isForward ? n : rows.length - 1 - n]!
      const middles = new Map(row.map((node) => [node, middle(node, isForward ? -1 : 1, layer, into, out, place)]))
      row.sort((a, b) => middles.get(a)! - middles.get(b)!)
      settle(row)
    }
  }
  return rows
}

/** The mean place of a node's neighbours on one side; near ones count more. */
function middle(node: number, side: -1 | 1, layer: Int32Array, into: Adjacency, out: Adjacency, place: Float64Array): number {
  let sum = 0
  let weight = 0
  for (const { starts, others } of [into, out]) {
    for (let n = starts[node]!; n < starts[node + 1]!; n++) {
      const other = others[n]!
      const distance = (layer[other]! - layer[node]!) * side
      if (distance <= 0) continue
      sum += place[other]! / distance
      weight += 1 / distance
    }
  }
  return weight ? sum / weight : place[node]!
}

/**
 * Places nearest to the wanted ones, in the least squares, that keep an order and distances.
 *
 * Pools adjacent violators: with distances taken off, it is an isotonic regression.
 */
export function spaced(wanted: ArrayLike<number>, apart: ArrayLike<number>): Float64Array {
  const count = wanted.length
  const means: number[] = []
  const sizes: number[] = []
  const offset = new Float64Array(count)
  for (let n = 0; n < count; n++) {
    if (n) offset[n] = offset[n - 1]! + apart[n - 1]!
    means.push(wanted[n]! - offset[n]!)
    sizes.push(1)
    while (means.length > 1 && means.at(-2)! >= means.at(-1)!) {
      const [mean, size] = [means.pop()!, sizes.pop()!]
      const last = means.length - 1
      means[last] = (means[last]! * sizes[last]! + mean * size) / (sizes[last]! + size)
      sizes[last]! += size
    }
  }
  const places = new Float64Array(count)
  let n = 0
  means.forEach((mean, pool) => {
    for (let k = 0; k < sizes[pool]!; k++, n++) places[n] = mean + offset[n]!
  })
  return places
}
